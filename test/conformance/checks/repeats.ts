/** PROTOCOL.md 2.1: codes that hold for all calls, and calls that arrive twice. */
import type { DescMethodUnary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { TaskHubSidecarService } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { type Check, expectEqual, expectThat } from "../check.ts";
import { fromNow } from "../events.ts";

/** A method of a neighbouring service, which no SDK needs of a sidecar. */
const { hello } = TaskHubSidecarService.method;
const STRANGE = {
  ...hello,
  name: "NoSuchMethod",
  localName: "noSuchMethod",
} as DescMethodUnary<typeof hello.input, typeof hello.output>;

const LONG_WAIT_MS = 65_000;
const LONG_PATIENCE_MS = 90_000;

export const repeatChecks: readonly Check[] = [
  {
    id: "2.1/unknown-method",
    title: "a method that is not offered is answered with UNIMPLEMENTED",
    async run(context) {
      const { signal } = context;
      const call = context.bareTransport.unary(STRANGE, signal, undefined, undefined, {});
      await context.refused(call, Code.Unimplemented);
    },
  },
  {
    id: "2.1/empty-instance-id-everywhere",
    title: "an empty id of an instance is INVALID_ARGUMENT for each call that changes one",
    async run(context) {
      const nobody = { instanceId: "" };
      const { client } = context;
      await context.refused(client.terminateInstance(nobody), Code.InvalidArgument);
      await context.refused(client.suspendInstance(nobody), Code.InvalidArgument);
      await context.refused(client.resumeInstance(nobody), Code.InvalidArgument);
      await context.refused(client.restartInstance(nobody), Code.InvalidArgument);
      await context.refused(client.rewindInstance(nobody), Code.InvalidArgument);
    },
  },
  {
    id: "2.1/refusal-has-words",
    title: "the refusal of an id that is taken has words, which SDKs show",
    async run(context) {
      await context.start();
      const words = await context.start().then(
        () => "",
        (error: unknown) => ConnectError.from(error).rawMessage,
      );
      expectThat(words.trim() !== "", "expected a message in the refusal, but there is none");
    },
  },
  {
    id: "2.1/start-repeated",
    title: "StartInstance is answered with OK again when the same request arrives twice",
    async run(context) {
      const worker = context.worker();
      const request = { input: '"in"', requestTime: fromNow(0) };
      const instanceId = await context.start(request);
      const { executionId } = (await worker.answer([], instanceId)).request;
      expectEqual("the id", await context.start(request), instanceId);
      const state = await context.state(instanceId);
      expectEqual("the generation", state.executionId, executionId);
      await context.expectStatus(instanceId, "RUNNING");
      await context.raise(instanceId, "go");
      await worker.completeNext("1", instanceId);
      await context.endedAs(instanceId, "COMPLETED");
      expectEqual("the id at the end", await context.start(request), instanceId);
      await context.expectStatus(instanceId, "COMPLETED");
    },
  },
  {
    id: "2.1/start-not-repeated",
    title:
      "StartInstance is refused when anything differs, or when nobody can know that it is equal",
    async run(context) {
      const requestTime = fromNow(0);
      const request = { input: '"in"', requestTime };
      await context.start(request);
      const later = { ...request, requestTime: fromNow(1_000) };
      await context.refused(context.start(later), Code.AlreadyExists);
      const other = { ...request, input: '"other"' };
      await context.refused(context.start(other), Code.AlreadyExists);
      const renamed = { ...request, name: context.name("Other") };
      await context.refused(context.start(renamed), Code.AlreadyExists);
      await context.refused(context.start({ input: '"in"' }), Code.AlreadyExists);
      const untimed = { instanceId: context.id("untimed") };
      await context.start(untimed);
      await context.refused(context.start(untimed), Code.AlreadyExists);
    },
  },
  {
    id: "2.1/long-wait",
    slow: true,
    patienceMs: LONG_PATIENCE_MS,
    title: "a wait is not ended by the service: after a minute it still waits",
    async run(context) {
      const instanceId = await context.start();
      const beganAt = performance.now();
      const waiting = context.client.waitForInstanceCompletion(
        { instanceId },
        { timeoutMs: LONG_WAIT_MS },
      );
      await context.refused(waiting, Code.DeadlineExceeded);
      const seconds = (performance.now() - beganAt) / 1_000;
      expectThat(seconds > 60, `expected to wait for more than 60 s, but it was ${seconds} s`);
      const ended = context.endedAs(instanceId, "COMPLETED");
      await context.worker().completeNext("1", instanceId);
      await ended;
    },
  },
];
