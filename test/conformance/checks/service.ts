/** PROTOCOL.md sections 1 to 3.2: the contract itself, metadata, sizes. */
import { create } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import {
  CreateInstanceRequestSchema,
  OrchestrationStatus,
  TaskHubSidecarService,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { sendEvent } from "../../support/worker-actions.ts";
import { end, task } from "../actions.ts";
import { type Check, expectEqual, expectPresent } from "../check.ts";

const MEGABYTE = 1024 * 1024;
/** What a release after ours might send: field 15,000, a text. */
const UNKNOWN = { no: 15_000, wireType: 2, data: Uint8Array.of(3, 110, 101, 119) };

export const serviceChecks: readonly Check[] = [
  {
    id: "1.1/service-name",
    traps: ["T31"],
    title: "the service has no package in its name, and Hello is answered",
    async run(context) {
      await context.client.hello({});
    },
  },
  {
    id: "1.2/unknown-fields",
    title: "a field that is not known yet does not make a request fail",
    async run(context) {
      const request = create(CreateInstanceRequestSchema, {
        instanceId: context.id(),
        name: context.name(),
      });
      request.$unknown = [UNKNOWN];
      const { instanceId } = await context.client.startInstance(request);
      context.remember(instanceId);
      expectEqual("the id in the answer", instanceId, context.id());
    },
  },
  {
    id: "1.2/payload-presence",
    traps: ["T40"],
    title: "an absent, an empty and a falsy payload come back as they were sent",
    async run(context) {
      const payloads = [undefined, "", "0", "false", "null", '""', "{}", "no JSON at all {", "🦄"];
      for (const [at, input] of payloads.entries()) {
        const instanceId = context.id(`p${at}`);
        await context.start({ instanceId, ...(input === undefined ? {} : { input }) });
        const state = await context.state(instanceId);
        // A reader cannot tell an absent input from an empty one in every SDK, so "" may be either.
        const shown = input === "" ? (state.input ?? "") : state.input;
        expectEqual(`the input that was sent as ${JSON.stringify(input)}`, shown, input);
      }
    },
  },
  {
    id: "1.2/result-presence",
    traps: ["T40"],
    title: "falsy results of activities reach the orchestrator as they were sent",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const results = ["0", "false", "null", '""', "[]"];
      const tasks = results.map((_, at) => task(at, { name: context.name("Work") }));
      await worker.answer(tasks, instanceId);
      const seen = new Map<number, string | undefined>();
      for (const [at, result] of results.entries()) {
        await worker.finish(await worker.activity(at), { result });
      }
      while (seen.size < results.length) {
        const { newEvents } = await worker.answer([], instanceId);
        for (const { eventType } of newEvents) {
          if (eventType.case !== "taskCompleted") continue;
          seen.set(eventType.value.taskScheduledId, eventType.value.result);
        }
      }
      expectEqual("the results", new Map([...seen].toSorted()), new Map(results.entries()));
    },
  },
  {
    id: "2.1/empty-orchestrator-name",
    title: "an instance without an orchestrator name is refused with INVALID_ARGUMENT",
    async run(context) {
      const request = { instanceId: context.id(), name: "" };
      await context.refused(context.client.startInstance(request), Code.InvalidArgument);
    },
  },
  {
    id: "2.1/empty-instance-id",
    title: "an empty instance id is refused with INVALID_ARGUMENT where one is needed",
    async run(context) {
      await context.refused(
        context.client.raiseEvent({ instanceId: "", name: "e" }),
        Code.InvalidArgument,
      );
    },
  },
  {
    id: "3.1/large-request",
    title: "a completion of 5 MB is accepted",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const data = "x".repeat(MEGABYTE);
      const nobody = context.id("nobody");
      const events = [1, 2, 3, 4, 5].map((id) => sendEvent(id, nobody, "e", data));
      const orchestrationStatus = OrchestrationStatus.COMPLETED;
      await worker.answer([...events, end({ orchestrationStatus })], instanceId);
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "3.2/metadata-of-managed-packages",
    title: "the metadata keys of the managed packages do not make a call fail",
    async run(context) {
      const headers = {
        authorization: "Bearer none",
        "x-user-agent": "durabletask-python/1.9.0",
        workerid: "host,1,5a1c6f3e",
      };
      await context.client.hello({}, { headers });
      const request = { instanceId: context.id("unknown") };
      const { exists } = await context.client.getInstance(request, { headers });
      expectEqual('"exists" of an unknown id', exists, false);
    },
  },
  {
    id: "3.2/hubs-are-isolated",
    needs: ["isolated-hubs"],
    title: "the taskhub key selects the hub: others neither see nor run what is in it",
    async run(context) {
      const [one, two] = [context.ownHub("one"), context.ownHub("two")];
      const instanceId = context.id();
      await one.start({ instanceId, input: "1" });
      await two.start({ instanceId, input: "2" });
      await context.expectExists(instanceId, false);
      expectEqual("the input in the one hub", (await one.state(instanceId)).input, "1");
      expectEqual("the input in the other", (await two.state(instanceId)).input, "2");
      const worker = two.worker({ unfiltered: true });
      await worker.completeNext("two");
      await two.endedAs(instanceId, "COMPLETED");
      await one.expectStatus(instanceId, "PENDING");
    },
  },
  {
    id: "3.2/default-hub",
    needs: ["isolated-hubs"],
    title: "without the taskhub key a call is for the hub with the name default",
    async run(context) {
      const instanceId = context.id();
      const headers = { taskhub: "default" };
      const named = { instanceId, name: context.name() };
      await context.client.startInstance(named, { headers });
      // An empty list of headers would get the hub of this run, so this client has none at all.
      const bare = createClient(TaskHubSidecarService, context.bareTransport);
      const { exists, orchestrationState } = await bare.getInstance({ instanceId });
      await context.client.terminateInstance({ instanceId }, { headers });
      const request = { case: "instanceId" as const, value: instanceId };
      await context.client.purgeInstances({ request }, { headers }).catch(() => {});
      expectEqual('"exists" without the key', exists, true);
      expectPresent("the state", orchestrationState);
    },
  },
];
