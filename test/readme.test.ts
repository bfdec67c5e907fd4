/** What the README claims about the surface is what the sidecar serves. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { systemSteadyClock } from "../sidecar/foundation/clock.ts";
import { randomIds } from "../sidecar/foundation/ids.ts";
import { compatibleService } from "../sidecar/rpc/compat/service.ts";
import { clientService } from "../sidecar/rpc/v1/service.ts";
import type { TaskHubs } from "../sidecar/scheduler/task-hubs.ts";
import { TaskHubSidecarService } from "../sidecar/wire/gen/orchestrator_service_pb.ts";
import { ClientService } from "../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";

const readme = readFileSync("README.md", "utf8");

/** The part about the published service. */
const [compatibleTable = ""] = readme.split("`taskhub.v1.ClientService`");

/** Method name to what its row says. */
const rows = new Map(
  Array.from(compatibleTable.matchAll(/^\| `(\w+)` \| (.+) \|$/gm), ([, name = "", says = ""]) => [
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

test("the table of our own service names each of its methods once", () => {
  const [, table = ""] = readme.split("`taskhub.v1.ClientService`");
  const [before = ""] = table.split("What is not there yet");
  const lines = before.split("\n").filter((line) => line.startsWith("| `"));
  const named = lines.flatMap((line) =>
    Array.from((line.split("|")[1] ?? "").matchAll(/`(\w+)`/g), ([, name = ""]) => name),
  );
  expect(named.toSorted()).toEqual(ClientService.methods.map(({ name }) => name).toSorted());
});

test("every method of our own service is implemented", () => {
  const { methods } = clientService({} as TaskHubs, {
    version: "",
    steadyClock: systemSteadyClock,
  });
  expect([...methods.keys()].toSorted()).toEqual(
    ClientService.methods.map(({ localName }) => localName).toSorted(),
  );
});
