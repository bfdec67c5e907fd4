/** PROTOCOL.md 2.2: QueryInstances and ListInstanceIds. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  type InstanceQuerySchema,
  type OrchestrationState,
  OrchestrationStatus,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { addMilliseconds, addNanoseconds } from "../../../sidecar/wire/timestamp.ts";
import { type Check, expectAbsent, expectEqual, expectPresent, expectThat } from "../check.ts";
import type { CheckContext } from "../context.ts";

type Query = MessageInitShape<typeof InstanceQuerySchema>;

interface Page {
  readonly states: readonly OrchestrationState[];
  readonly token: string | undefined;
}

/** One page of the instances of this check. */
async function page(context: CheckContext, query: Query): Promise<Page> {
  const answer = await context.client.queryInstances({
    query: { instanceIdPrefix: context.tag, ...query },
  });
  return { states: answer.orchestrationState, token: answer.continuationToken };
}

/** The labels of the instances of a page. */
function labels(context: CheckContext, { states }: Page): string[] {
  return states.map(({ instanceId }) => instanceId.slice(context.tag.length + 1));
}

async function found(context: CheckContext, query: Query): Promise<string[]> {
  return labels(context, await page(context, query)).toSorted();
}

async function startMany(context: CheckContext, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, at) => `i${String(at).padStart(2, "0")}`);
  for (const label of names) await context.start({ instanceId: context.id(label) });
  return names;
}

export const queryChecks: readonly Check[] = [
  {
    id: "2.2/query-prefix",
    title: "a query by prefix finds what has it, case-sensitively",
    async run(context) {
      await context.start({ instanceId: context.id("Aa") });
      await context.start({ instanceId: context.id("ab") });
      expectEqual("both", await found(context, {}), ["Aa", "ab"]);
      expectEqual("one", await found(context, { instanceIdPrefix: context.id("a") }), ["ab"]);
    },
  },
  {
    id: "2.2/query-status",
    title: "a query by status finds any of those listed",
    async run(context) {
      const worker = context.worker();
      await context.start({ instanceId: context.id("done") });
      await worker.completeNext("1");
      await context.ended(context.id("done"));
      await context.start({ instanceId: context.id("runs") });
      await worker.answer();
      worker.close();
      await context.start({ instanceId: context.id("waits") });
      await context.start({ instanceId: context.id("held") });
      await context.client.suspendInstance({ instanceId: context.id("held") });
      const { COMPLETED, RUNNING, PENDING, SUSPENDED } = OrchestrationStatus;
      const by = (...runtimeStatus: OrchestrationStatus[]) => found(context, { runtimeStatus });
      expectEqual("COMPLETED", await by(COMPLETED), ["done"]);
      expectEqual("RUNNING", await by(RUNNING), ["runs"]);
      expectEqual("PENDING or SUSPENDED", await by(PENDING, SUSPENDED), ["held", "waits"]);
      expectEqual("any", await by(), ["done", "held", "runs", "waits"]);
    },
  },
  {
    id: "2.2/query-created",
    title: "a query by creation time includes both bounds",
    async run(context) {
      const [first, second] = await startMany(context, 2);
      const { createdTimestamp } = await context.state(context.id(second));
      const created = expectPresent("createdTimestamp", createdTimestamp);
      const from = await found(context, { createdTimeFrom: created });
      expectEqual("the last of those from its own time on", from.at(-1), second);
      const to = await found(context, { createdTimeTo: created });
      expectEqual("those up to its own time", to, [first, second]);
      const before = addNanoseconds(created, -1n);
      const earlier = await found(context, { createdTimeTo: before });
      expectThat(!earlier.includes(second ?? ""), "expected an earlier bound to exclude it");
      const later = await found(context, { createdTimeFrom: addMilliseconds(created, 60_000) });
      expectEqual("those from a minute later on", later, []);
    },
  },
  {
    id: "2.2/query-pages",
    traps: ["T14"],
    title: "21 instances are five pages of five: the last has one, and no token",
    async run(context) {
      const expected = await startMany(context, 21);
      const seen: string[] = [];
      const sizes: number[] = [];
      let token: string | undefined;
      do {
        const query: Query = { maxInstanceCount: 5 };
        if (token !== undefined) query.continuationToken = token;
        const next = await page(context, query);
        seen.push(...labels(context, next));
        sizes.push(next.states.length);
        token = next.token;
        expectThat(token !== "", "expected no token at the end, but got an empty one");
      } while (token !== undefined && sizes.length < 10);
      expectEqual("the sizes of the pages", sizes, [5, 5, 5, 5, 1]);
      expectEqual("the instances, in the order of their creation", seen, expected);
    },
  },
  {
    id: "2.2/query-another-page-size",
    title: "a token goes on with another page size, without gaps or repeats",
    async run(context) {
      const expected = await startMany(context, 12);
      const first = await page(context, { maxInstanceCount: 5 });
      const token = expectPresent("the token of the first page", first.token);
      const second = await page(context, { maxInstanceCount: 4, continuationToken: token });
      const next = expectPresent("the token of the second page", second.token);
      const rest = await page(context, { maxInstanceCount: 100, continuationToken: next });
      const seen = [first, second, rest].flatMap((each) => labels(context, each));
      expectEqual("the instances", seen, expected);
      expectAbsent("the token of the last page", rest.token);
    },
  },
  {
    id: "2.2/query-exact-page",
    traps: ["T14"],
    title: "a page that holds the last instance has no token, also when it is full",
    async run(context) {
      await startMany(context, 4);
      const { states, token } = await page(context, { maxInstanceCount: 4 });
      expectEqual("the number of instances", states.length, 4);
      expectAbsent("the token", token);
    },
  },
  {
    id: "2.2/query-payloads",
    title: "input and output are there only when they were asked for",
    async run(context) {
      const instanceId = await context.start({ input: "1" });
      await context.worker().completeNext("2", instanceId);
      await context.ended(instanceId);
      const [bare] = (await page(context, {})).states;
      expectEqual("the payloads", [bare?.input, bare?.output], [undefined, undefined]);
      const [full] = (await page(context, { fetchInputsAndOutputs: true })).states;
      expectEqual("the payloads", [full?.input, full?.output], ["1", "2"]);
      expectPresent("createdTimestamp", bare?.createdTimestamp);
      expectPresent("lastUpdatedTimestamp", bare?.lastUpdatedTimestamp);
    },
  },
  {
    id: "2.2/query-empty-values",
    title: "an empty token and hub names are as if they were not given",
    async run(context) {
      await context.start();
      const query = {
        continuationToken: "",
        taskHubNames: [{ value: "whatever" }],
        maxInstanceCount: 0,
      };
      expectEqual("the instances", await found(context, query), ["main"]);
    },
  },
  {
    id: "2.2/query-broken-token",
    title: "a broken token is INVALID_ARGUMENT",
    async run(context) {
      await context.refused(page(context, { continuationToken: "broken" }), Code.InvalidArgument);
    },
  },
  {
    id: "2.2/query-no-entities",
    needs: ["entities"],
    title: "entities are not among the instances",
    async run(context) {
      const instanceId = context.entityId();
      await context.client.signalEntity({
        instanceId,
        name: "add",
        requestId: crypto.randomUUID(),
      });
      const prefix = `@counter-${context.tag}`;
      const query = { instanceIdStartsWith: prefix, includeTransient: true };
      const { entities } = await context.client.queryEntities({ query });
      expectEqual("the number of entities", entities.length, 1);
      const { states } = await page(context, { instanceIdPrefix: prefix });
      expectEqual("the number of instances", states.length, 0);
    },
  },
];
