import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { openLevelStore } from "../../sidecar/store/level/store.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/temporary-directory.ts";
import { describeStore } from "./store-suite.ts";

let root: TemporaryDirectory | undefined;
let count = 0;

beforeAll(async () => {
  root = await temporaryDirectory();
});

afterAll(() => root?.[Symbol.asyncDispose]());

describeStore("LevelDB store", (wrap) => {
  count += 1;
  return openLevelStore({ directory: join(root?.path ?? "", String(count)), wrap });
});
