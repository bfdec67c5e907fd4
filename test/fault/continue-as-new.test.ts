/**
 * T-CAN: callers raise numbered events in a storm against eternal orchestrations, which begin a new
 * generation every few events, while the sidecar is killed again and again. Each event is taken
 * once, in the order of its caller. A call whose answer was lost is repeated with the same key, so the
 * sum is exact. `SEED` repeats a run.
 */
import { join } from "node:path";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { InterceptingCall, type InterceptorOptions, type NextCall } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { ClientService } from "../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { newClient, newWorker } from "../support/javascript-sdk.ts";
import { completed } from "../support/javascript-sdk-suite.ts";
import { rig } from "../support/rig.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { emptyTally, eternal, type Numbered } from "./continue-as-new/eternal.ts";
import { Killer } from "./kill/killer.ts";
import { Ledger } from "./kill/ledger.ts";
import { Random } from "./kill/random.ts";
import { Victim } from "./kill/victim.ts";
import { smallMemtables } from "./shim/patches.ts";
import { FaultBench, RIG_PATIENCE_MS } from "./shim/shim.ts";

const CALLERS = 6;
/** So few that the keys between a call and its repeat, of all callers, are remembered. */
const AHEAD_MAX = 20;
const INSTANCES = ["eternal-0", "eternal-1"] as const;
/** The SDK's worker comes back later each time, and may have thousands of events before it then. */
const LAST_SECONDS = 300;

test("no event is lost, repeated or overtaken across generations and kills", {
  timeout: RIG_PATIENCE_MS,
}, async () => {
  const it = rig("T-CAN");
  const random = new Random(it.seed);
  await using scratch = await temporaryDirectory();
  const bench = await FaultBench.create(scratch.path, { patches: [smallMemtables] });
  const killer = new Killer({ bench, random, data: join(scratch.path, "data") });
  await using victim = await Victim.start((failed) => killer.nextLife(failed));
  const { port } = victim;
  const worker = newWorker({ port });
  worker.addNamedOrchestrator("eternal", eternal);
  await worker.start();
  const client = newClient({ port });
  const perCaller = it.count(40, 300);
  const tally = emptyTally(CALLERS * perCaller, CALLERS);
  for (const instanceId of INSTANCES) {
    await client.scheduleNewOrchestration("eternal", tally, { instanceId });
  }

  const ledger = new Ledger();
  const storm = Promise.all(
    INSTANCES.map((instanceId) => raiseAll({ port, ledger, instanceId, perCaller })),
  );
  const over = storm.then(() => {});
  await killer.killAgainAndAgain(victim, ledger, it.count(9, 200), over);
  await storm;
  await bench.setRules([]);
  await victim.kill();

  const sum = (CALLERS * perCaller * (perCaller - 1)) / 2;
  for (const instanceId of INSTANCES) {
    const state = await completed(client, instanceId, LAST_SECONDS);
    const next = tally.next.map(() => perCaller);
    const expected = { ...tally, count: tally.goal, sum, next };
    expect(JSON.parse(state.serializedOutput ?? "null")).toEqual(expected);
  }
  await Promise.all([client.stop(), worker.stop()]);
  expect(await victim.stop()).toEqual({ end: 0, complaints: [] });
  it.report({ kills: killer.kills, events: ledger.lines().length, instances: INSTANCES.length });
  // Without kills in the storm it would prove nothing.
  expect(killer.kills).toBeGreaterThan(4);
});

interface Storm {
  readonly port: number;
  readonly ledger: Ledger;
  readonly instanceId: string;
  readonly perCaller: number;
}

/** All callers at once; whoever is far ahead of the slowest one waits for it. */
async function raiseAll({ perCaller, ...storm }: Storm): Promise<void> {
  for (let from = 0; from < perCaller; from += AHEAD_MAX) {
    const to = Math.min(from + AHEAD_MAX, perCaller);
    const callers = Array.from({ length: CALLERS }, (_, caller) => caller);
    await Promise.all(callers.map((caller) => raise({ ...storm, caller, from, to })));
  }
}

interface Caller extends Omit<Storm, "perCaller"> {
  readonly caller: number;
  readonly from: number;
  readonly to: number;
}

/** One number behind the other: each is acknowledged before the next. */
async function raise({ port, ledger, instanceId, caller, from, to }: Caller): Promise<void> {
  using transport = new GrpcTransport({ host: "127.0.0.1", port }, patientCalls);
  const v1 = createClient(ClientService, transport);
  for (let number = from; number < to; number += 1) {
    const mark = `${caller}.${number}`;
    const event: Numbered = { caller, number };
    const request = { instanceId, name: "numbered", input: JSON.stringify(event), requestId: mark };
    while (!(await v1.raiseEvent(request).then(() => true, whenUnanswered))) {}
    ledger.write({ kind: "raised", instanceId, mark });
  }
}

/** A call waits until the sidecar is there again. */
const patientCalls = {
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 200,
  interceptors: [
    (options: InterceptorOptions, nextCall: NextCall) =>
      new InterceptingCall(nextCall(options), {
        start(metadata, listener, next) {
          metadata.setOptions({ waitForReady: true });
          next(metadata, listener);
        },
      }),
  ],
};

function whenUnanswered(error: unknown): false {
  if (ConnectError.from(error).code !== Code.Unavailable) throw error;
  return false;
}
