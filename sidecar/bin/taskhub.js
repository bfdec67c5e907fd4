#!/usr/bin/env node
// Plain JavaScript of long ago: an older Node cannot read main.ts at all, and says only
// ERR_UNKNOWN_FILE_EXTENSION.
const [major] = process.versions.node.split(".");
if (Number(major) < 24) {
  process.stderr.write(`taskhub: needs Node.js 24 or newer; this is ${process.versions.node}\n`);
  process.exitCode = 78;
} else {
  await import("../main.ts");
}
