/**
 * A process for tests to limit from outside: fills a database until a write fails, waits for a line,
 * writes a hundred rows more with the same handle, and waits to be killed.
 */
import { once } from "node:events";
import { ClassicLevel } from "classic-level";

const [directory = "", bytes = "0"] = process.argv.slice(2);
const database = new ClassicLevel(directory);
await database.open();

let refusal: unknown;
for (let at = 0; refusal === undefined; at += 1) {
  refusal = await put(`before ${at}`).then(() => undefined, String);
}
console.log(refusal);
await once(process.stdin, "data");
let acknowledged = 0;
for (let at = 0; at < 100; at += 1) {
  acknowledged += await put(`behind ${at}`).then(
    () => 1,
    () => 0,
  );
}
console.log(`acknowledged ${acknowledged}`);
await once(process.stdin, "end");

/** What compression can do nothing about. */
async function put(key: string): Promise<void> {
  let value = "";
  while (value.length < Number(bytes)) value += Math.random().toString(36).slice(2);
  await database.put(key, value, { sync: true });
}
