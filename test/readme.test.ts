/** What the README claims about the surface is what the sidecar serves. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { randomIds } from "../sidecar/foundation/ids.ts";
import { compatibleService } from "../sidecar/rpc/compat/service.ts";
import type { TaskHubs } from "../sidecar/scheduler/task-hubs.ts";
import { TaskHubSidecarService } from "../sidecar/wire/gen/orchestrator_service_pb.ts";

const readme = readFileSync("README.md", "utf8");

/** Method name to what its row says. */
const rows = new Map(
  Array.from(readme.matchAll(/^\| `(\w+)` \| (.+) \|$/gm), ([, name = "", says = ""]) => [
    name,
    says,
  ]),
);

test("the table has a row for each method of the service, and no other", () => {
  const methods = TaskHubSidecarService.methods.map((method) => method.name);
  expect([...rows.keys()].toSorted()).toEqual(methods.toSorted());
});

test("a method says 'not yet' exactly when it is not implemented", () => {
  // Mounting calls nothing: no task hub is needed to see which methods there are.
  const { methods } = compatibleService({} as TaskHubs, randomIds);
  for (const { name, localName } of TaskHubSidecarService.methods) {
    const implemented = rows.get(name) !== "not yet";
    expect(methods.has(localName), name).toBe(implemented);
  }
});
