import { globSync, readFileSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { tellMissing } from "./required.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test.each([undefined, "", "0", "false"])("with CI=%s what is missing is told, once", (value) => {
  const told = vi.spyOn(console, "warn").mockReturnValue();
  vi.stubEnv("CI", value);
  tellMissing("there is no compiler");
  expect(told.mock.calls).toEqual([["SKIPPED: there is no compiler"]]);
});

test.each(["true", "1", "yes"])("with CI=%s what is missing is an error", (value) => {
  vi.stubEnv("CI", value);
  expect(() => tellMissing("there is no compiler")).toThrow(
    "there is no compiler, and CI needs it",
  );
});

test("our CI sets it, before anything runs", () => {
  const script = readFileSync(".ci/run", "utf8");
  expect(script).toMatch(/^export CI=true$/m);
  expect(script.indexOf("export CI=true")).toBeLessThan(script.search(/^npm /m));
});

test("nobody else asks whether this is CI", () => {
  const own = ["test/support/required.ts", "test/support/required.test.ts"];
  const asking = globSync("{test,scripts}/**/*.ts").filter((file) =>
    /env\.CI\b|env\["CI"\]/.test(readFileSync(file, "utf8")),
  );
  expect(asking.filter((file) => !own.includes(file))).toEqual([]);
});
