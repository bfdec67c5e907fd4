/**
 * The Java section of docs/clients.md does what it says, and the C# section as far as it goes
 * without .NET: the messages. Its generator of clients is only in a NuGet package. They share a
 * file because protoc comes with Maven, which is not made to fill one cold cache twice at a time.
 */
import { chmod, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { checkout, codeBlocks, type } from "./client-page.ts";
import { expectOrderHeldAndFinished } from "./held-order.ts";
import { testWith } from "./toolchain.ts";

const testJava = await testWith("mvn --version && javac -version");

/** Answers, as a generator of nothing, that it knows fields with presence. */
const GENERATOR_OF_NOTHING = "#!/bin/sh\ncat > /dev/null\nprintf '\\020\\001'\n";

testJava("the generated Java client suspends, watches and gets an instance", () =>
  expectOrderHeldAndFinished("Java"),
);

testJava("the C# messages that the page names are generated into its namespace", async () => {
  await using directory = await checkout();
  const programs = join(directory.path, "examples/clients/java/target/generators");
  const reader = { checkout: directory, address: "", programs };
  await type("mvn -q -B -f examples/clients/java dependency:copy@generators", reader);
  const plugin = join(programs, "grpc_csharp_plugin");
  await writeFile(plugin, GENERATOR_OF_NOTHING);
  for (const program of [plugin, join(programs, "protoc")]) await chmod(program, 0o755);
  const generate = codeBlocks("C#", "sh").find((block) => block.includes("buf generate"));

  await type(generate, reader);

  const generated = join(directory.path, "gen");
  const files = await readdir(generated);
  const sources = await Promise.all(files.map((file) => readFile(join(generated, file), "utf8")));
  expect(files).toContain("Suspension.cs");
  for (const source of sources) expect(source).toContain("namespace Taskhub.V1 {");
  const program = codeBlocks("C#", "csharp").join("");
  expect(program).toContain("using Taskhub.V1;");
  const requests = Array.from(program.matchAll(/new (\w+Request)/g), ([, name = ""]) => name);
  expect(requests).not.toEqual([]);
  for (const name of requests) expect(sources.join("")).toContain(`class ${name} `);
});
