/** RaiseEvent and TerminateInstance: idempotency keys, and errors for what has finished. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../sidecar/foundation/limits.ts";
import type {
  RaiseEventRequestSchema,
  TerminateInstanceRequestSchema,
} from "../../../sidecar/wire/gen/taskhub/v1/control_pb.ts";
import { transports } from "../../support/rpc-harness.ts";
import { openV1, type V1World } from "../../support/v1-world.ts";
import { startChild } from "../../support/worker-actions.ts";

const A = { instanceId: "a" };
const long = (bytes: number) => "x".repeat(bytes + 1);

/** Names of the events that the next turn brings. */
async function eventsOf(world: V1World): Promise<string[]> {
  const worker = await world.worker();
  const { newEvents } = (await worker.turn()).request;
  return newEvents.flatMap(({ eventType }) =>
    eventType.case === "eventRaised" ? [`${eventType.value.name} ${eventType.value.input}`] : [],
  );
}

describe.each(transports)("RaiseEvent over $name", ({ serve }) => {
  it("raises events in order; absent and empty payloads are different", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    await world.v1.raiseEvent({ ...A, name: "E", input: "1" });
    await world.v1.raiseEvent({ ...A, name: "E", input: "" });
    await world.v1.raiseEvent({ ...A, name: "E" });
    expect(await eventsOf(world)).toEqual(["E 1", "E ", "E undefined"]);
  });

  it("with a request id raises one event however often it is repeated, also after a restart", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    await world.v1.raiseEvent({ ...A, name: "E", requestId: "k" });
    await world.v1.raiseEvent({ ...A, name: "E", requestId: "k" });
    await world.v1.raiseEvent({ ...A, name: "F", requestId: "k" });
    await world.v1.raiseEvent({ ...A, name: "E", requestId: "l" });
    await world.v1.terminateInstance({ instanceId: "a", requestId: "k" });
    const state = await world.hub.hub.read("a", ({ rememberedRequests }) => rememberedRequests);
    expect(state).toHaveLength(3);
    expect(await world.status("a")).toBe("TERMINATED");
  });

  it("of one that has finished names its state; a repeat of an earlier request is OK", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    await world.v1.raiseEvent({ ...A, name: "E", requestId: "k" });
    await (await world.worker()).completeNext();
    const call = () => world.v1.raiseEvent({ ...A, name: "E" });
    await world.expectV1Refused(call, "FailedPrecondition", /"a" is in the COMPLETED state/);
    await world.v1.raiseEvent({ ...A, name: "E", requestId: "k" });
  });

  it("above the limit is RESOURCE_EXHAUSTED and names it, as the compatible one", async () => {
    const bufferLimits = { eventsMax: 2, bytesMax: 1_000 };
    await using world = await openV1(serve, { started: { bufferLimits } });
    await world.start("a");
    await world.v1.suspendInstance({ ...A, name: "n" });
    for (const requestId of ["1", "2"]) await world.v1.raiseEvent({ ...A, name: "E", requestId });
    const call = () => world.v1.raiseEvent({ ...A, name: "E", requestId: "3" });
    await world.expectV1Refused(call, "ResourceExhausted", /"a" has 2 events waiting already/);
    const compatible = () => world.client.raiseEvent({ ...A, name: "E" });
    await world.expectV1Refused(compatible, "ResourceExhausted", /2 events waiting/);
    // What was raised before is known; what was refused is not, and is done when there is room.
    await world.v1.raiseEvent({ ...A, name: "E", requestId: "1" });
    await world.v1.resumeInstance({ ...A, name: "n" });
    await (await world.worker())
      .turn()
      .then(({ token }) => world.client.completeOrchestratorTask({ ...A, completionToken: token }));
    await world.v1.raiseEvent({ ...A, name: "E", requestId: "3" });
    const { bufferedEvents } = await world.v1.getSuspension(A);
    expect(bufferedEvents?.count).toBe(1);
  });

  it.each<[string, MessageInitShape<typeof RaiseEventRequestSchema>, string, RegExp]>([
    ["no id", { instanceId: "" }, "InvalidArgument", /instance_id is empty/],
    ["a long id", { instanceId: long(512) }, "InvalidArgument", /instance_id is longer/],
    ["no name", { name: "" }, "InvalidArgument", /name is empty/],
    ["a long name", { name: long(256) }, "InvalidArgument", /name is longer/],
    ["a control character", { name: "a\u007f" }, "InvalidArgument", /name contains/],
    ["a large input", { input: long(LIMITS.payloadBytesMax) }, "ResourceExhausted", /input/],
    ["a long request id", { requestId: long(128) }, "InvalidArgument", /request_id/],
    ["an unknown id", { instanceId: "nobody" }, "NotFound", /"nobody" does not exist/],
  ])("with %s is refused and changes nothing", async (_what, fields, code, words) => {
    await using world = await openV1(serve);
    await world.start("a");
    const call = () => world.v1.raiseEvent({ ...A, name: "E", ...fields });
    await world.expectV1Refused(call, code, words);
  });
});

describe.each(transports)("TerminateInstance over $name", ({ serve }) => {
  it("ends a held instance with its output; a repeat is OK, another one is refused", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    await world.v1.suspendInstance({ ...A, name: "n" });
    await world.v1.suspendTaskHub({ name: "w" });
    await world.v1.terminateInstance({ ...A, output: '"bye"', requestId: "k" });
    expect(await world.state("a")).toMatchObject({ output: '"bye"' });
    expect(await world.status("a")).toBe("TERMINATED");
    await world.v1.terminateInstance({ ...A, output: '"bye"', requestId: "k" });
    const call = () => world.v1.terminateInstance(A);
    await world.expectV1Refused(call, "FailedPrecondition", /TERMINATED/);
    const { instance } = await world.v1.getSuspension(A);
    expect(instance?.holds).toEqual([]);
  });

  it.each([false, true])("with recursive=%s", async (recursive) => {
    await using world = await openV1(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [startChild(1, "child")]);
    await worker.complete(await worker.turn());
    await world.v1.terminateInstance({ ...A, recursive });
    await world.hub.settled();
    expect(await world.status("child")).toBe(recursive ? "TERMINATED" : "RUNNING");
  });

  it.each<[string, MessageInitShape<typeof TerminateInstanceRequestSchema>, string, RegExp]>([
    ["no id", { instanceId: "" }, "InvalidArgument", /instance_id is empty/],
    ["a large output", { output: long(LIMITS.payloadBytesMax) }, "ResourceExhausted", /output/],
    ["a long request id", { requestId: long(128) }, "InvalidArgument", /request_id/],
    ["an unknown id", { instanceId: "nobody" }, "NotFound", /"nobody"/],
  ])("with %s is refused and changes nothing", async (_what, fields, code, words) => {
    await using world = await openV1(serve);
    await world.start("a");
    const call = () => world.v1.terminateInstance({ ...A, ...fields });
    await world.expectV1Refused(call, code, words);
  });
});
