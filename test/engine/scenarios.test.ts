/**
 * Runs test/engine/scenarios/*.txt. `UPDATE_SCENARIOS=1 npx vitest run test/engine` writes what the
 * engine does into the files: read the difference before you believe it.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { runStep } from "../support/scenario-commands.ts";
import { readScenarios, type Scenario, writeScenario } from "../support/scenario-reader.ts";
import { ScenarioWorld } from "../support/scenario-world.ts";

const folder = new URL("scenarios/", import.meta.url);
const isUpdate = process.env.UPDATE_SCENARIOS === "1";

for (const file of readdirSync(folder).sort()) {
  const path = new URL(file, folder);
  const scenarios = readScenarios(readFileSync(path, "utf8"));
  if (isUpdate) writeFileSync(path, `${scenarios.map(actual).join("\n\n")}\n`);
  describe(file, () => {
    for (const scenario of scenarios) {
      test(scenario.title, () => {
        expect(isUpdate ? "" : actual(scenario)).toBe(isUpdate ? "" : writeScenario(scenario));
      });
    }
  });
}

test("files are as they are written: reading and writing changes nothing", () => {
  for (const file of readdirSync(folder)) {
    const text = readFileSync(new URL(file, folder), "utf8");
    const written = readScenarios(text).map((scenario) => writeScenario(scenario));
    expect(`${written.join("\n\n")}\n`, file).toBe(text);
  }
});

function actual(scenario: Scenario): string {
  const world = new ScenarioWorld();
  const outputs = scenario.steps.map((step) => {
    try {
      return runStep(world, step);
    } catch (cause) {
      throw new Error(`${scenario.title}, step at line ${step.line}`, { cause });
    }
  });
  return writeScenario(scenario, outputs);
}
