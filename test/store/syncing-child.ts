/**
 * A process for tests to watch from below: writes to a database in one of several ways, says what
 * was acknowledged, and waits to be killed.
 */
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { openLevelStore } from "../../sidecar/store/level/store.ts";
import { commitOf, instanceAppend } from "../support/store-builders.ts";

const [directory = "", way = "", count = "0"] = process.argv.slice(2);

if (way === "lazy" || way === "synced") await put(way === "synced");
else if (way === "parallel") await putAll();
else await append(way === "together");
await new Promise<never>((_resolve, reject) => {
  setTimeout(() => reject(new Error("nobody has killed this process")), 60_000);
});

/** With LevelDB alone. */
async function put(sync: boolean): Promise<void> {
  const database = new ClassicLevel(join(directory, "db"));
  await database.open();
  for (let at = 0; at < Number(count); at += 1) {
    const outcome = await database.put(`key ${at}`, "value", { sync }).then(
      () => "ok",
      () => "failed",
    );
    console.log(`${outcome} ${at}`);
  }
  console.log("end");
}

/** With LevelDB alone, all at once. */
async function putAll(): Promise<void> {
  const database = new ClassicLevel(join(directory, "db"));
  await database.open();
  const keys = Array.from({ length: Number(count) }, (_, at) => `key ${at}`);
  await Promise.all(keys.map((key) => database.put(key, "value", { sync: true })));
  console.log("end");
}

/** With a store: one commit behind the other, or all of them at once. */
async function append(together: boolean): Promise<void> {
  const store = await openLevelStore({ directory });
  console.log("begin");
  for (let at = 0; at < Number(count); at += 1) {
    const entry = instanceAppend({ number: BigInt(at + 1), sequence: 1 }, "x");
    const position = store.append(commitOf(entry));
    if (!together || at === Number(count) - 1) await store.whenDurable(position);
  }
  console.log("end");
}
