/** The Python section of docs/clients.md does what it says. */
import { expect } from "vitest";
import { startSidecar } from "../support/sidecar-process.ts";
import { checkout, codeBlocks, type } from "./client-page.ts";
import { testWith } from "./toolchain.ts";

const testPython = await testWith("python3 -c 'import ensurepip, venv'");

testPython("the published worker and the generated client share an order in 20 lines", async () => {
  await using sidecar = await startSidecar();
  await using directory = await checkout();
  const reader = { checkout: directory, address: sidecar.address };
  const [generate, start] = codeBlocks("Python", "sh");

  await type(generate, reader);
  const printed = (await type(start, reader)).join("\n");

  const progress = '"waiting for approval"';
  expect(printed).toMatch(new RegExp(`^${progress}\nheld: back soon\n`));
  expect(printed).toContain(String.raw`value: "\"waiting for approval\""`);
  expect(printed).toContain("\nrevision: 1\n");
  expect(printed).toMatch(/\n"kettle, approved by Ann"$/);
});
