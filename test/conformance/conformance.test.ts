/** The suite, as anybody runs it against an address, against the real program. */
import { beforeAll, describe, expect, it } from "vitest";
import { startSidecar } from "../support/sidecar-process.ts";
import { ALL_CHECKS } from "./all-checks.ts";
import { type CheckResult, runChecks } from "./runner.ts";

/** Checks of methods that are not built yet: exactly these may be answered with UNIMPLEMENTED. */
const notYet: readonly string[] = [];

/** What takes so long by its nature: `npm run conformance -- --slow` runs it. */
const slow = ALL_CHECKS.filter((check) => check.slow).map(({ id }) => id);

/** A busy machine must not turn into a red test: what is right comes in seconds. */
const PATIENCE = 4;
const HOOK_MS = 240_000;

const results = new Map<string, CheckResult>();

beforeAll(async () => {
  await using sidecar = await startSidecar();
  const options = {
    host: "127.0.0.1",
    port: sidecar.port,
    concurrency: 16,
    slow: false,
    patience: PATIENCE,
  };
  for (const result of await runChecks(ALL_CHECKS, options)) results.set(result.id, result);
}, HOOK_MS);

describe("the sidecar, seen through nothing but its address", () => {
  const expected = ALL_CHECKS.filter(({ id }) => !slow.includes(id) && !notYet.includes(id));

  it.each(expected.map((check) => [check.id, check.title]))("%s: %s", (id) => {
    const { outcome, reason } = results.get(id) ?? {};
    expect({ outcome, reason }).toEqual({ outcome: "passed", reason: "" });
  });

  it("does not offer exactly what is not built yet", () => {
    const found = [...results.values()].filter(({ outcome }) => outcome === "not offered");
    expect(found.map(({ id }) => id).toSorted()).toEqual([...notYet].toSorted());
  });
});

describe("the checks", () => {
  it("have ids that differ", () => {
    const ids = ALL_CHECKS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
