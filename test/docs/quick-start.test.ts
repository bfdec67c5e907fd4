/**
 * The quick starts do what they say, from the sidecar to the purge. Packages are those that the tests
 * of the SDKs have: that the commands of the pages get the same ones is compared. There is no .NET
 * here: of its page the commands are those of the others, and connection string and names
 * are looked at; its program is not compiled.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { copyFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "vitest";
import { findGo } from "../support/go-program.ts";
import { findJava } from "../support/java-program.ts";
import { findPython } from "../support/python-program.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { expectShown } from "./doc-page.ts";
import {
  follow,
  PRINTED_PORT,
  pathOf,
  type QuickStart,
  quickStart,
  RunningProgram,
  waitsForEvent,
} from "./quick-start-page.ts";

const SERVE = "npx taskhub serve --listen localhost:8080 --data ./.taskhub\n";
const CONNECTION = "Endpoint=http://localhost:8080;TaskHub=default;Authentication=None";

/** What a page needs of a language. */
interface Language {
  readonly name: string;
  /** Name of the file that the program is saved in. */
  readonly file: string;
  /** Undefined without the toolchain: the finder has said so, and throws in CI. */
  readonly toolchain: string | undefined;
  /** Puts the packages where the commands of the page would have put them. */
  prepare(folder: string, toolchain: string): Promise<void>;
  readonly env?: Readonly<Record<string, string>>;
}

const languages: readonly Language[] = [
  {
    name: "javascript",
    file: "order.mjs",
    toolchain: resolve("node_modules"),
    prepare: (folder, modules) => symlink(modules, join(folder, "node_modules")),
  },
  {
    name: "python",
    file: "order.py",
    toolchain: await findPython(),
    prepare: (folder, python) => symlink(dirname(dirname(python)), join(folder, ".venv")),
  },
  {
    name: "java",
    file: "Order.java",
    toolchain: await findJava(),
    prepare: (folder, classPath) => {
      const [, jars = ""] = classPath.split(":");
      return symlink(dirname(jars), join(folder, "lib"));
    },
  },
  {
    name: "go",
    file: "main.go",
    toolchain: await findGo(),
    prepare: async (folder) => {
      for (const name of ["go.mod", "go.sum"]) {
        await copyFile(join("test/interop/go", name), join(folder, name));
      }
    },
    // As the scenarios are built: what both need is compiled once.
    env: { GOFLAGS: "-trimpath" },
  },
];

/** With cold caches, a program in Go takes minutes to compile. */
const COLD_START_MS = 300_000;

for (const language of languages) {
  const { name, toolchain } = language;
  const options = { timeout: COLD_START_MS, skip: toolchain === undefined };
  test(`${name}: an order is held, approved and remembered`, options, () =>
    expectOrderRemembered(language, quickStart(name), toolchain ?? ""),
  );
}

async function expectOrderRemembered(language: Language, page: QuickStart, toolchain: string) {
  await using data = await temporaryDirectory();
  await using folder = await temporaryDirectory();
  let sidecar = await startSidecar({ dataDirectory: data.path, listen: ["localhost:0"] });
  try {
    const { port, address } = sidecar;
    const withPort = (text: string) => text.replaceAll(PRINTED_PORT, String(port));
    await language.prepare(folder.path, toolchain);
    await writeFile(join(folder.path, language.file), withPort(page.program.text));
    {
      await using program = new RunningProgram(page.run.text, folder.path, language.env ?? {});
      await program.started();
      await waitsForEvent(port, "order-1");
      for (const step of page.fromAnotherTerminal) await follow(step, address);
      expectShown(page.printed, await program.ended());
    }
    expect(await sidecar.stop()).toBe(0);
    sidecar = await startSidecar({ dataDirectory: data.path });
    await sidecar.logged("sidecar.ready");
    for (const step of page.itRemembers) await follow(step, sidecar.address);
  } finally {
    await sidecar.kill();
  }
}

const names = globSync("docs/quick-start/*.md").map((path) => path.replace(/^.*\/|\.md$/g, ""));

test("there is a page for each language that is run, and one for .NET", () => {
  expect(names.toSorted()).toEqual([...languages.map(({ name }) => name), "dotnet"].toSorted());
});

test.each(names)(
  "%s: the sidecar is started as here, for the emulator's connection string",
  (name) => {
    expect(quickStart(name).serve).toBe(SERVE);
    expect(readFileSync(pathOf(name), "utf8")).toContain(`\`${CONNECTION}\``);
  },
);

test.each(names)("%s: what it links to is there", (name) => {
  const links = readFileSync(pathOf(name), "utf8").matchAll(/\]\(([^)#]+)[^)]*\)/g);
  const paths = Array.from(links, ([, path = ""]) => join("docs/quick-start", path));
  expect(paths.filter((path) => !existsSync(path))).toEqual([]);
});

test.each([
  ["javascript", "package.json", /(@microsoft\/durabletask-js)(?:@|": ")([\d.]+)/],
  ["python", "test/interop/python/requirements.txt", /(durabletask)==([\d.]+)/],
  ["java", "test/interop/java/pom.xml", /(durabletask-client)<\/artifactId>\s*<version>([\d.]+)/],
  ["go", "test/interop/go/go.mod", /(microsoft\/durabletask-go)[@ ]v([\d.]+)/],
  ["go", "test/interop/go/go.mod", /(google.golang.org\/grpc)[@ ]v([\d.]+)/],
])("%s: its package is the one of %s", (name, file, pattern) => {
  const { preparation } = quickStart(name);
  const wanted = pattern.exec(readFileSync(file, "utf8"))?.slice(1);
  expect(wanted).toBeDefined();
  expect(pattern.exec(preparation.map(({ text }) => text).join(""))?.slice(1)).toEqual(wanted);
});

test("dotnet: its commands are those that are run for JavaScript, and its order has their names", () => {
  const [dotnet, javascript] = [quickStart("dotnet"), quickStart("javascript")];
  const textsOf = ({ fromAnotherTerminal, itRemembers, printed }: QuickStart) => [
    ...[...fromAnotherTerminal, ...itRemembers].map(({ commands, shown }) => [
      commands.text,
      shown?.text,
    ]),
    printed.text,
  ];
  expect(textsOf(dotnet)).toEqual(textsOf(javascript));
  expect(dotnet.program.text).toContain(`"${CONNECTION}"`);
  for (const part of ['"reserve"', '"ship"', '"order"', '"Approval"', '"order-1"', '"kettle"']) {
    expect(dotnet.program.text).toContain(part);
  }
  const packages = dotnet.preparation.flatMap(({ text }) => text.match(/(?<=package )\S+/g) ?? []);
  for (const name of packages.filter((one) => one.endsWith(".AzureManaged"))) {
    expect(dotnet.program.text).toContain(`using ${name};`);
  }
});
