/** Fails when the committed generated code is not what the .proto files give now. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const generated = join("sidecar", "wire", "gen");
const fresh = mkdtempSync(join(tmpdir(), "taskhub-generated-"));
try {
  execFileSync("buf", ["generate", "-o", fresh], { stdio: ["ignore", "inherit", "inherit"] });
  const differing = differences(generated, join(fresh, generated));
  if (differing.length > 0) {
    console.error(`generated code is not up to date; run "npm run generate":`);
    for (const file of differing) console.error(`  ${file}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(fresh, { recursive: true });
}

function differences(committed: string, expected: string): string[] {
  const files = new Set([...filesIn(committed), ...filesIn(expected)]);
  return [...files].filter((file) => {
    return contentOf(join(committed, file)) !== contentOf(join(expected, file));
  });
}

function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
