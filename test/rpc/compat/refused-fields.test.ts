import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../sidecar/foundation/limits.ts";
import { type CompatClient, openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";

const instanceId = "witness";
const name = "Main";

function tagsOf(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, at) => [`key${at}`, "value"]));
}

function start(request: Parameters<CompatClient["startInstance"]>[0]) {
  return (client: CompatClient) => client.startInstance({ instanceId: "new", ...request });
}

function workItems(request: Parameters<CompatClient["getWorkItems"]>[0]) {
  return (client: CompatClient) => client.getWorkItems(request)[Symbol.asyncIterator]().next();
}

type Call = (client: CompatClient) => Promise<unknown>;

const tooLong = "x".repeat(257);
const malformed: [string, Call, RegExp][] = [
  ["StartInstance without a name", start({}), /^name is empty$/],
  ["StartInstance with a long name", start({ name: tooLong }), /^name is longer than 256 bytes$/],
  [
    "StartInstance with a NUL in its name",
    start({ name: "a\u0000" }),
    /^name contains a control character$/,
  ],
  [
    "StartInstance with a long version",
    start({ name, version: tooLong }),
    /^version is longer than 256 bytes$/,
  ],
  [
    "StartInstance with a line feed in its version",
    start({ name, version: "1\n2" }),
    /^version contains a control character$/,
  ],
  [
    "StartInstance with a long execution id",
    start({ name, executionId: "x".repeat(513) }),
    /^executionId is longer than 512 bytes$/,
  ],
  [
    "StartInstance with a NUL in its execution id",
    start({ name, executionId: "a\u0000" }),
    /^executionId contains a control character$/,
  ],
  ["StartInstance with 65 tags", start({ name, tags: tagsOf(65) }), /65 tags; the limit is 64/],
  ["StartInstance with an empty tag", start({ name, tags: { "": "v" } }), /tag has an empty key/],
  [
    "StartInstance with a long tag key",
    start({ name, tags: { ["k".repeat(129)]: "v" } }),
    /^a tag key is longer than 128 bytes$/,
  ],
  [
    "StartInstance with a line feed in a tag key",
    start({ name, tags: { "a\nb": "v" } }),
    /^a tag key contains a control character$/,
  ],
  [
    "StartInstance with a long tag value",
    start({ name, tags: { team: "v".repeat(1025) } }),
    /^the value of tag "team" is longer than 1024 bytes$/,
  ],
  ...[
    { seconds: 253_402_300_800n, nanos: 0 },
    { seconds: -62_135_596_801n, nanos: 0 },
    { seconds: 2n ** 63n - 1n, nanos: 0 },
    { seconds: 4_000_000_000n, nanos: -1 },
    { seconds: 4_000_000_000n, nanos: 1_000_000_000 },
  ].map((scheduledStartTimestamp): [string, Call, RegExp] => [
    `StartInstance at ${scheduledStartTimestamp.seconds} s and ${scheduledStartTimestamp.nanos} ns`,
    start({ name, scheduledStartTimestamp }),
    /^scheduledStartTimestamp is not a time between the years 1 and 9999$/,
  ]),
  ["RaiseEvent without a name", (client) => client.raiseEvent({ instanceId }), /^name is empty$/],
  [
    "RaiseEvent with a long name",
    (client) => client.raiseEvent({ instanceId, name: tooLong }),
    /^name is longer than 256 bytes$/,
  ],
  [
    "RaiseEvent with a control character in its name",
    (client) => client.raiseEvent({ instanceId, name: "a\r\nb" }),
    /^name contains a control character$/,
  ],
  ...(["suspendInstance", "resumeInstance"] as const).map((method): [string, Call, RegExp] => [
    `${method} with a long reason`,
    (client) => client[method]({ instanceId, reason: "x".repeat(16 * 1024 + 1) }),
    /^reason is longer than 16384 bytes$/,
  ]),
  [
    "GetWorkItems with a negative number of orchestrations",
    workItems({ maxConcurrentOrchestrationWorkItems: -1 }),
    /^maxConcurrentOrchestrationWorkItems is negative$/,
  ],
  [
    "GetWorkItems with a negative number of activities",
    workItems({ maxConcurrentActivityWorkItems: -(2 ** 31) }),
    /^maxConcurrentActivityWorkItems is negative$/,
  ],
  [
    "GetWorkItems with a negative number of entities",
    workItems({ maxConcurrentEntityWorkItems: -1 }),
    /^maxConcurrentEntityWorkItems is negative$/,
  ],
];

const overLimit = "x".repeat(LIMITS.payloadBytesMax + 1);
const wideOverLimit = `${"é".repeat(LIMITS.payloadBytesMax / 2)}x`;
const tooLarge: [string, Call, RegExp][] = [
  ["StartInstance", start({ name, input: overLimit }), /^input is larger than 2097152 bytes$/],
  ["StartInstance, in bytes,", start({ name, input: wideOverLimit }), /^input is larger/],
  [
    "RaiseEvent",
    (client) => client.raiseEvent({ instanceId, name: "E", input: overLimit }),
    /^input is larger than 2097152 bytes$/,
  ],
  [
    "TerminateInstance",
    (client) => client.terminateInstance({ instanceId, output: overLimit }),
    /^output is larger than 2097152 bytes$/,
  ],
  [
    "StartInstance with a trace context",
    start({ name, parentTraceContext: { traceState: overLimit } }),
    /^parentTraceContext is larger than 2097152 bytes$/,
  ],
];

describe.each(transports)("over $name", ({ serve }) => {
  it.each(malformed)("%s is INVALID_ARGUMENT", async (_what, call, words) => {
    await using world = await openCompat(serve);
    await world.start(instanceId);
    await world.expectRefused(() => call(world.client), "InvalidArgument", words);
    expect(await world.status("new")).toBeUndefined();
  });

  it.each(tooLarge)("%s above the limit is RESOURCE_EXHAUSTED", async (_what, call, words) => {
    await using world = await openCompat(serve);
    await world.start(instanceId);
    await world.expectRefused(() => call(world.client), "ResourceExhausted", words);
    expect(await world.status("new")).toBeUndefined();
  });

  it("everything at its limit is taken", async () => {
    await using world = await openCompat(serve);
    const { client } = world;
    const input = "x".repeat(LIMITS.payloadBytesMax);
    const long = "x".repeat(256);
    const tags = { ...tagsOf(63), ["k".repeat(128)]: "v".repeat(1024) };
    await client.startInstance({ instanceId, name: long, version: long, input, tags });
    await client.raiseEvent({ instanceId, name: long, input });
    await client.suspendInstance({ instanceId, reason: "x".repeat(16 * 1024) });
    const state = await world.state(instanceId);
    expect(state).toMatchObject({ name: long, version: long, tags });
    expect(state?.input === input).toBe(true);
    await world.start("short");
    await client.terminateInstance({ instanceId: "short", output: input });
    expect((await world.state("short"))?.output === input).toBe(true);
  });

  it("a tag named __proto__ is a tag like others", async () => {
    await using world = await openCompat(serve);
    const tags = Object.fromEntries([
      ["__proto__", "1"],
      ["constructor", "2"],
      ["hasOwnProperty", "3"],
    ]);
    await startTagged(world.client, tags);
    const state = await world.state("new");
    expect(Object.entries(state?.tags ?? {}).toSorted()).toEqual(Object.entries(tags).toSorted());
    const worker = await world.worker();
    const started = (await worker.turn()).request.newEvents[1]?.eventType;
    const seen = started?.case === "executionStarted" ? started.value.tags : {};
    expect(Object.entries(seen).toSorted()).toEqual(Object.entries(tags).toSorted());
    expect(({} as Record<string, unknown>).hasOwnProperty).toBe(Object.prototype.hasOwnProperty);
  });
});

function startTagged(client: CompatClient, tags: Record<string, string>) {
  return client.startInstance({ instanceId: "new", name, tags });
}
