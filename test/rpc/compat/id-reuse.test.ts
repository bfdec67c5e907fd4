/** The table of PROTOCOL.md 4.2. */
import { describe, expect, it } from "vitest";
import { OrchestrationStatus as Status } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { type CompatWorld, failureOf, openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { completed, failed } from "../../support/worker-actions.ts";

const all = [
  Status.COMPLETED,
  Status.FAILED,
  Status.TERMINATED,
  Status.CANCELED,
  Status.PENDING,
  Status.RUNNING,
  Status.SUSPENDED,
];
const OLD = { instanceId: "a", name: "Old", input: '"old"' };

type Existing = "PENDING" | "RUNNING" | "SUSPENDED" | "COMPLETED" | "FAILED" | "TERMINATED";

/** Brings an instance `a` into a status. */
async function bring(world: CompatWorld, status: Existing): Promise<void> {
  const { client } = world;
  await client.startInstance(OLD);
  if (status === "TERMINATED") await client.terminateInstance({ instanceId: "a" });
  if (status === "SUSPENDED") await client.suspendInstance({ instanceId: "a" });
  const actions = { RUNNING: [], COMPLETED: [completed()], FAILED: [failed("broken")] };
  if (status === "RUNNING" || status === "COMPLETED" || status === "FAILED") {
    const worker = await world.worker();
    await worker.complete(await worker.turn(), actions[status]);
    worker.close();
  }
  expect(await world.status("a")).toBe(status);
}

function startAgain({ client }: CompatWorld, orchestrationIdReusePolicy?: object) {
  const policy = orchestrationIdReusePolicy && { orchestrationIdReusePolicy };
  return client.startInstance({ instanceId: "a", name: "New", ...policy });
}

describe.each(transports)("StartInstance of an id that exists, over $name,", ({ serve }) => {
  const replaced: [Existing, string, object | undefined][] = [
    ["COMPLETED", "no policy", undefined],
    ["FAILED", "no policy", undefined],
    ["TERMINATED", "no policy", undefined],
    ["COMPLETED", "its status in the list", { replaceableStatus: [Status.COMPLETED] }],
    ["RUNNING", "all statuses in the list", { replaceableStatus: all }],
    ["PENDING", "all statuses in the list", { replaceableStatus: all }],
    ["SUSPENDED", "all statuses in the list", { replaceableStatus: all }],
    [
      "COMPLETED",
      "running ones but not terminated ones in the list",
      { replaceableStatus: [Status.COMPLETED, Status.RUNNING, Status.PENDING] },
    ],
    [
      "RUNNING",
      "the legacy action TERMINATE",
      { replaceableStatus: [Status.RUNNING], legacyAction: 2 },
    ],
  ];

  it.each(replaced)("in status %s with %s replaces it", async (status, _policy, policy) => {
    await using world = await openCompat(serve);
    await bring(world, status);
    const old = await world.state("a");
    await startAgain(world, policy);
    const state = await world.state("a");
    expect(state).toMatchObject({ name: "New" });
    expect(await world.status("a")).toBe("PENDING");
    expect(state?.executionId).not.toBe(old?.executionId);
    expect([state?.input, state?.output, state?.completedTimestamp]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(await world.history("a")).toEqual([]);
  });

  const refused: [Existing, string, object | undefined][] = [
    ["PENDING", "no policy", undefined],
    ["RUNNING", "no policy", undefined],
    ["SUSPENDED", "no policy", undefined],
    ["COMPLETED", "an empty list", { replaceableStatus: [] }],
    ["RUNNING", "an empty list", { replaceableStatus: [] }],
    ["COMPLETED", "another status in the list", { replaceableStatus: [Status.FAILED] }],
    ["RUNNING", "terminal statuses in the list", { replaceableStatus: all.slice(0, 4) }],
    [
      "RUNNING",
      "the legacy action IGNORE for another status",
      { replaceableStatus: [Status.COMPLETED], legacyAction: 1 },
    ],
    [
      "RUNNING",
      "the legacy action TERMINATE for another status",
      { replaceableStatus: [Status.COMPLETED], legacyAction: 2 },
    ],
  ];

  it.each(refused)("in status %s with %s is ALREADY_EXISTS", async (status, _policy, policy) => {
    await using world = await openCompat(serve);
    await bring(world, status);
    const before = await world.facts("a");
    expect(await failureOf(startAgain(world, policy))).toEqual({
      code: "AlreadyExists",
      message: `an instance with id "a" already exists in status ${status}`,
    });
    expect(await world.facts("a")).toEqual(before);
  });

  it.each(["PENDING", "RUNNING", "SUSPENDED"] as const)(
    "in status %s with a list that has it but not TERMINATED is INVALID_ARGUMENT",
    async (status) => {
      await using world = await openCompat(serve);
      await bring(world, status);
      const before = await world.facts("a");
      const replaceableStatus = all.filter((each) => each !== Status.TERMINATED);
      expect(await failureOf(startAgain(world, { replaceableStatus }))).toEqual({
        code: "InvalidArgument",
        message:
          "Invalid reusable statuses: cannot exclude 'Terminated' while also allowing reuse of running instances",
      });
      expect(await world.facts("a")).toEqual(before);
    },
  );

  it("in a status that the legacy action IGNORE names is OK and changes nothing", async () => {
    await using world = await openCompat(serve);
    await bring(world, "RUNNING");
    const before = await world.facts("a");
    const policy = { replaceableStatus: [Status.RUNNING], legacyAction: 1 };
    expect(await startAgain(world, policy)).toMatchObject({ instanceId: "a" });
    expect(await world.facts("a")).toEqual(before);
  });

  it("creates it whatever the policy says if there is none", async () => {
    await using world = await openCompat(serve);
    await startAgain(world, { replaceableStatus: [Status.RUNNING] });
    expect(await world.status("a")).toBe("PENDING");
  });

  it("makes the token of the replaced instance stale, and keeps who waits for it", async () => {
    await using world = await openCompat(serve);
    await world.client.startInstance(OLD);
    const worker = await world.worker();
    const turn = await worker.turn();
    const arrived = world.calls.next("waitForInstanceCompletion");
    const waiting = world.client.waitForInstanceCompletion({
      instanceId: "a",
      getInputsAndOutputs: true,
    });
    await arrived;
    await startAgain(world, { replaceableStatus: all });
    await worker.complete(turn, [completed('"of the old one"')]);
    await worker.completeNext('"of the new one"');
    expect((await waiting).orchestrationState).toMatchObject({
      name: "New",
      output: '"of the new one"',
    });
  });
});
