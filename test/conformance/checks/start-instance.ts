/** PROTOCOL.md 2.2 StartInstance: creation. */
import { Code } from "@connectrpc/connect";
import { type Check, expectEqual, expectPresent, expectThat } from "../check.ts";
import { eventsOf, onlyEvent } from "../events.ts";

const TRACE_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

export const startInstanceChecks: readonly Check[] = [
  {
    id: "2.2/start-pending",
    title: "a new instance is PENDING, and can be read at once",
    async run(context) {
      const instanceId = await context.start({ input: '"in"', version: "1.2" });
      const state = await context.state(instanceId);
      await context.expectStatus(instanceId, "PENDING");
      expectEqual("the name", state.name, context.name());
      expectEqual("the version", state.version, "1.2");
      expectEqual("the input", state.input, '"in"');
    },
  },
  {
    id: "2.2/start-without-id",
    title: "an id is generated when none is given, another one each time",
    async run(context) {
      const one = await context.start({ instanceId: "" });
      const two = await context.start({ instanceId: "" });
      expectThat(one !== "" && two !== "", "expected a generated id, but got an empty one");
      expectThat(one !== two, `expected two generated ids to differ, but both are ${one}`);
      await context.expectStatus(one, "PENDING");
    },
  },
  {
    id: "2.2/start-case-sensitive",
    title: "ids are case-sensitive",
    async run(context) {
      await context.start({ instanceId: context.id("Case") });
      await context.expectExists(context.id("case"), false);
      await context.start({ instanceId: context.id("case") });
      await context.expectExists(context.id("Case"), true);
    },
  },
  {
    id: "2.2/start-long-id",
    title: "an id may have 200 characters",
    async run(context) {
      const instanceId = context.id("x".repeat(200)).slice(0, 200);
      await context.start({ instanceId });
      await context.expectExists(instanceId, true);
    },
  },
  {
    id: "2.2/start-odd-ids",
    title: "an id may contain any character, and works wherever an id is taken",
    async run(context) {
      const worker = context.worker();
      const odd = ["a::b", "../x", "__proto__", "🦄 é", "a/b?c=d&e#f", "%00\\", "a@b", "'\";--"];
      for (const label of odd) {
        const instanceId = await context.start({ instanceId: context.id(label) });
        await context.raise(instanceId, "e", "1");
        await worker.completeNext('"done"', instanceId);
        const { output } = await context.endedAs(instanceId, "COMPLETED");
        expectEqual(`the output of ${instanceId}`, output, '"done"');
      }
    },
  },
  {
    id: "2.2/start-entity-id",
    title: "an id of the form @name@key is refused with INVALID_ARGUMENT",
    async run(context) {
      const request = { instanceId: `@counter@${context.tag}`, name: context.name() };
      await context.refused(context.client.startInstance(request), Code.InvalidArgument);
    },
  },
  {
    id: "4.14/start-contents",
    title: "name, version, input, tags and trace context reach ExecutionStarted",
    async run(context) {
      const worker = context.worker();
      const parentTraceContext = { traceParent: TRACE_PARENT, traceState: "a=b" };
      const tags = { color: "blue", size: "" };
      const fields = { version: "3.1", input: "[1]", tags, parentTraceContext };
      const instanceId = await context.start(fields);
      const { newEvents, request } = await worker.turn(instanceId);
      const started = onlyEvent(newEvents, "executionStarted");
      expectEqual("the name", started.name, context.name());
      expectEqual("the version", started.version, "3.1");
      expectEqual("the input", started.input, "[1]");
      expectEqual("the tags", { ...started.tags }, tags);
      expectEqual("the trace parent", started.parentTraceContext?.traceParent, TRACE_PARENT);
      expectEqual("the trace state", started.parentTraceContext?.traceState, "a=b");
      expectEqual("the parent", started.parentInstance, undefined);
      expectEqual(
        "the instance id inside ExecutionStarted",
        started.orchestrationInstance?.instanceId,
        instanceId,
      );
      expectEqual("the tags of the state", { ...(await context.state(instanceId)).tags }, tags);
      expectPresent("executionId in the work item", request.executionId);
    },
  },
  {
    id: "4.14/no-invented-trace",
    title: "no trace context is invented where none was given",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const { newEvents } = await worker.turn(instanceId);
      const [started] = eventsOf(newEvents, "executionStarted");
      expectEqual("the trace context", started?.parentTraceContext, undefined);
    },
  },
  {
    id: "4.14/state-execution-id",
    traps: ["T13"],
    title: "the state names the generation that the work item has",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const { request, newEvents } = await worker.answer([], instanceId);
      const { executionId } = await context.state(instanceId);
      const started = onlyEvent(newEvents, "executionStarted");
      expectThat(!!request.executionId, "expected executionId in the work item, but it is absent");
      expectEqual(
        "executionId inside ExecutionStarted",
        started.orchestrationInstance?.executionId,
        request.executionId,
      );
      expectEqual("executionId of the state", executionId, request.executionId);
    },
  },
];
