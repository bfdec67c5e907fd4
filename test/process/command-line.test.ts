import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { SERVE_SETTINGS } from "../../sidecar/process/cli/program.ts";
import { SETTINGS } from "../../sidecar/process/settings.ts";
import { VERSION } from "../../sidecar/process/version.ts";
import { run, runProgramToEnd } from "../support/sidecar-process.ts";

test("--version prints name and version", async () => {
  expect(await runProgramToEnd(["--version"])).toEqual({
    end: 0,
    stdout: `taskhub ${VERSION}\n`,
    stderr: "",
  });
});

test("--help names the commands and the exit codes", async () => {
  const { end, stdout, stderr } = await runProgramToEnd(["--help"]);
  expect({ end, stderr }).toEqual({ end: 0, stderr: "" });
  for (const word of ["serve", "healthcheck", "suspend", "hub", "--version", "Exit codes:"]) {
    expect(stdout).toContain(word);
  }
});

test.each([
  ["serve", SERVE_SETTINGS],
  ["healthcheck", ["address"]],
  ["list", ["address", "taskhub"]],
] as const)("%s --help names every flag, its default and its variable", async (command, names) => {
  const { end, stdout } = await runProgramToEnd([command, "--help"]);
  expect(end).toBe(0);
  const words = stdout.replace(/\s+/g, " ");
  for (const { flag, argument, fallback, variable } of names.map((name) => SETTINGS[name])) {
    expect(words).toContain(`${flag} ${argument}`);
    expect(words).toContain(`(default: ${fallback}; environment: ${variable})`);
  }
});

test.each([
  [[], "a command is missing; see taskhub --help"],
  [["sreve"], "unknown command 'sreve' (Did you mean serve?); see taskhub --help"],
  [
    ["serve", "--lisen", "1"],
    "unknown option '--lisen' (Did you mean --listen?); see taskhub --help",
  ],
  [["serve", "--listen"], "option '--listen <address>' argument missing; see taskhub --help"],
  [["serve", "--store", "tape"], '--store: "tape" is not one of: level, memory'],
])("%j ends with 64 and one line", async (args, line) => {
  expect(await runProgramToEnd(args)).toEqual({
    end: 64,
    stdout: "",
    stderr: `taskhub: ${line}\n`,
  });
});

test("a client command that nobody answers ends with 69 and one line", async () => {
  const { end, stdout, stderr } = await runProgramToEnd(["list", "--address", "127.0.0.1:1"]);
  expect({ end, stdout }).toEqual({ end: 69, stdout: "" });
  expect(stderr).toMatch(/^taskhub: no sidecar answers at 127\.0\.0\.1:1 [^\n]*\n$/);
});

test("a wrong variable ends with 78 and one line", async () => {
  expect(await runProgramToEnd(["serve"], { env: { TASKHUB_STORE: "tape" } })).toEqual({
    end: 78,
    stdout: "",
    stderr: 'taskhub: TASKHUB_STORE: "tape" is not one of: level, memory\n',
  });
});

const launcher = fileURLToPath(new URL("../../sidecar/bin/taskhub.js", import.meta.url));

test("the launcher runs the program", async () => {
  const { end, stdout } = await run([process.execPath, launcher, "--version"]);
  expect({ end, stdout }).toEqual({ end: 0, stdout: `taskhub ${VERSION}\n` });
});

test("on an older Node the launcher says so in one line", async () => {
  const pretend = "Object.defineProperty(process, 'versions', { value: { node: '20.20.2' } })";
  const imported = `data:text/javascript,${encodeURIComponent(pretend)}`;
  expect(await run([process.execPath, "--import", imported, launcher, "serve"])).toEqual({
    end: 78,
    stdout: "",
    stderr: "taskhub: needs Node.js 24 or newer; this is 20.20.2\n",
  });
});
