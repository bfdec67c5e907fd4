/** What the pages of docs type in a copy of the repository: it makes files, or needs Python. */
import { cp, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkout, codeBlocks, type } from "../clients/client-page.ts";
import { testWith } from "../clients/toolchain.ts";
import { stepsOf } from "./doc-page.ts";
import { startAsSaid } from "./reader.ts";

const testPython = await testWith("python3 -c 'import ensurepip, venv'");

testPython("the programs in Python print what their pages show", async () => {
  await using directory = await checkout();
  await cp("examples/docs", join(directory.path, "examples/docs"), { recursive: true });
  const [generate] = codeBlocks("Python", "sh");
  const steps = ["docs/suspend-resume.md", "docs/custom-status.md"].flatMap((path) =>
    stepsOf(path).filter(({ commands }) => commands.text.includes(".venv")),
  );
  expect(steps.map(({ shown }) => shown?.fence)).toEqual(["text", "text"]);
  await using scene = await startAsSaid("docs/suspend-resume.md");

  await type(generate, { checkout: directory, address: scene.address });
  for (const step of steps) await scene.follow(step, directory.path);
});

test("the template for TypeScript generates a client like that of this repository", async () => {
  await using directory = await checkout();
  await cp("examples/docs", join(directory.path, "examples/docs"), { recursive: true });
  const steps = stepsOf("docs/suspend-resume.md");
  const generate = steps.find(({ commands }) => commands.text.includes("buf generate"));

  await type(generate?.commands.text, { checkout: directory, address: "" });

  const generated = await readdir(join(directory.path, "examples/docs/gen/taskhub/v1"));
  expect(generated.toSorted()).toEqual((await readdir("sidecar/wire/gen/taskhub/v1")).toSorted());
});
