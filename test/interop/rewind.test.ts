import { randomUUID } from "node:crypto";
import { createClient } from "@connectrpc/connect";
import { expect } from "vitest";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { typesOf } from "../support/history-events.ts";
import {
  cannot,
  facts,
  type Language,
  type ProgramSuite,
  programArea,
  steps,
  typesIn,
} from "../support/program-area.ts";
import { type ProgramState, type PythonEvent, parsed } from "../support/program-state.ts";

const { scenario } = await programArea("rewind");

const reason = "the cause is gone";

/** Languages whose clients rewind, and read histories. */
const able: readonly Language[] = ["javascript", "python"];

/** The clients of Java and Go cannot: their workers go on with what somebody else has rewound. */
async function rewind(suite: ProgramSuite, instanceId: string, why?: string) {
  const { language, taskHub, ask } = suite;
  if (able.includes(language)) await ask("rewind", instanceId, why ?? null);
  else {
    const { port } = await suite.sidecar();
    using transport = new GrpcTransport({ host: "127.0.0.1", port });
    const client = createClient(TaskHubSidecarService, transport);
    const request = { instanceId, ...(why === undefined ? {} : { reason: why }) };
    await client.rewindInstance(request, { headers: { taskhub: taskHub } });
  }
  const state = await ask<ProgramState>("completed", instanceId);
  return { ...state, output: state.output === null ? null : parsed(state.output) };
}

interface Wish {
  /** Which run of the activity succeeds. */
  readonly goodRun?: number;
  /** How many levels of children there are. */
  readonly depth?: number;
}

async function fail({ ask }: ProgramSuite, name: string, wish: Wish = {}) {
  const key = `${name}-${randomUUID()}`;
  const given = { key, goodRun: 2, ...wish };
  const { instanceId, status } = await ask<ProgramState>("run", name, given);
  expect(status).toBe("FAILED");
  return { instanceId, key };
}

const well = { status: "COMPLETED", output: [1, 2] };

/** A parent with so many levels of children is well again, and so is its child. */
const levelsAreWell = (depth: number, meanwhile?: "purge") =>
  steps(async (suite) => {
    const { instanceId, key } = await fail(suite, "levels", { depth });
    if (meanwhile !== undefined) await suite.ask(meanwhile, `${key}-1`);
    expect(await rewind(suite, instanceId)).toMatchObject({ status: "COMPLETED", output: 2 });
    const child = await suite.ask("completed", `${key}-1`);
    expect(child).toMatchObject({ status: "COMPLETED", output: "2" });
  });

scenario(
  "a rewound orchestration runs its failed activity again and completes",
  steps(async (suite) => {
    const { instanceId } = await fail(suite, "twoSteps");
    expect(await rewind(suite, instanceId, reason)).toMatchObject(well);
  }),
);

scenario(
  "what has succeeded before a rewind is not run again",
  steps(async (suite) => {
    const { instanceId, key } = await fail(suite, "twoSteps");
    await rewind(suite, instanceId, reason);
    const runs = [await suite.ask("getRuns", `${key} good`), await suite.ask("getRuns", key)];
    expect(runs).toEqual([1, 2]);
  }),
);

scenario("a failed child is rewound with its parent", levelsAreWell(1));

scenario("a failed grandchild is rewound with its grandparent", levelsAreWell(2));

scenario("a purged child is created again when its parent is rewound", levelsAreWell(1, "purge"));

scenario(
  "an orchestration is rewound twice",
  steps(async (suite) => {
    const { instanceId } = await fail(suite, "twoSteps", { goodRun: 3 });
    expect(await rewind(suite, instanceId, "first")).toMatchObject({ status: "FAILED" });
    const second = await rewind(suite, instanceId, "second");
    expect(second).toMatchObject({ status: "COMPLETED", output: [1, 3] });
  }),
);

scenario(
  "an orchestration is rewound without a reason",
  steps(async (suite) => {
    const { instanceId } = await fail(suite, "twoSteps");
    expect(await rewind(suite, instanceId)).toMatchObject(well);
  }),
);

scenario(
  "a retry policy that has made its attempts makes one more behind each rewind",
  steps(async (suite) => {
    const { instanceId } = await fail(suite, "retries", { goodRun: 4 });
    const first = await rewind(suite, instanceId, "first");
    expect(first.failure?.message).toContain("run 3 failed");
    const second = await rewind(suite, instanceId, "second");
    expect(second).toMatchObject({ status: "COMPLETED", output: [4, 1] });
  }),
  { go: cannot("it has no retry policies") },
);

const turns = [
  "orchestratorStarted",
  "executionStarted",
  "taskScheduled",
  "orchestratorStarted",
  "taskCompleted",
  "orchestratorStarted",
  "orchestratorStarted",
  "executionRewound",
  "orchestratorStarted",
  "taskScheduled",
  "orchestratorStarted",
  "taskCompleted",
  "executionCompleted",
];

scenario(
  "the history shows a rewind and its reason",
  steps(async (suite) => {
    const { instanceId } = await fail(suite, "twoSteps");
    await rewind(suite, instanceId, reason);
    const history = await suite.history(instanceId);
    expect(typesOf(history)).toEqual(turns);
    expect(history[7]?.eventType.value).toMatchObject({ reason });
    if (!able.includes(suite.language)) return;
    const read = await suite.ask<readonly PythonEvent[]>("history", instanceId);
    expect(
      await typesIn(
        read.map(({ type }) => type),
        suite,
      ),
    ).toEqual(turns);
    expect(read[7]).toMatchObject({ reason });
  }),
);

const noClient = cannot("its client has no rewind");

/** The SDK makes an error of its own of the status. */
const refusedInWords = (words: RegExp) =>
  facts((refusal) => expect(refusal).toEqual({ details: expect.stringMatching(words) }));

scenario(
  "rewinding an unknown instance is refused",
  facts((refusal) => expect(refusal).toMatchObject({ code: "NOT_FOUND" })),
  { java: noClient, go: noClient, javascript: refusedInWords(/not found/) },
);

scenario(
  "an orchestration that has not failed is not rewound",
  facts((refusal) =>
    expect(refusal).toMatchObject({
      code: "FAILED_PRECONDITION",
      details: expect.stringContaining("precondition"),
    }),
  ),
  { java: noClient, go: noClient, javascript: refusedInWords(/precondition/) },
);
