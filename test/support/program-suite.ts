/** One sidecar process, and one program with a published SDK, for all tests of a file. */
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type HistoryEvent,
  TaskHubSidecarService,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import type { AskedProgram } from "./asked-program.ts";
import { GrpcTransport } from "./grpc-transport.ts";
import { type SidecarProcess, startSidecar } from "./sidecar-process.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** An orchestration's state as the SDK gives it: see `facts` of the program's hub. */
export interface ProgramState {
  readonly instanceId: string;
  readonly name: string;
  readonly status: string;
  readonly input: string | null;
  readonly output: string | null;
  readonly customStatus: string | null;
  readonly failure: { readonly type: string; readonly message: string } | null;
}

export interface ProgramSuite<Toolchain> {
  /** Whether the tests run: the toolchain and the packages are there. */
  readonly runs: boolean;
  readonly toolchain: Toolchain;
  readonly sidecar: SidecarProcess;
  /** Runs a command of the file's area. */
  ask<Facts>(name: string, ...given: readonly unknown[]): Promise<Facts>;
  /** A test of the scenario that the area has under this name. */
  scenario<Facts>(name: string, check: (facts: Facts) => void | Promise<void>): void;
  /** A test that asks for commands by itself. */
  test(name: string, body: () => Promise<void>): void;
  /** A test for each row; `$key` in its name stands for the row's value. */
  testFor<Row extends object>(
    name: string,
    rows: readonly Row[],
    body: (row: Row) => Promise<void>,
  ): void;
  /** What the sidecar tells of an instance, for an SDK that does not read histories. */
  history(instanceId: string): Promise<readonly HistoryEvent[]>;
  /** A scenario that this SDK has no means for. */
  cannot(name: string, reason: string): void;
}

/**
 * @param start a program for the sidecar of this address
 * @param taskHub the one that the program works in
 */
export function programSuite<Toolchain>(
  toolchain: Toolchain | undefined,
  start: (toolchain: Toolchain, address: string) => AskedProgram,
  taskHub = "default",
): ProgramSuite<Toolchain> {
  const testIt = toolchain === undefined ? test.skip : test.concurrent;
  let running: Awaited<ReturnType<typeof startAll>> | undefined;
  if (toolchain !== undefined) {
    beforeAll(async () => {
      running = await startAll((address) => start(toolchain, address));
    });
    afterAll(() => running?.stop());
  }
  const suite: ProgramSuite<Toolchain> = {
    runs: toolchain !== undefined,
    get toolchain() {
      return present(toolchain);
    },
    get sidecar() {
      return present(running).sidecar;
    },
    ask: async <Facts>(name: string, ...given: readonly unknown[]) =>
      (await present(running).program.ask(name, ...given)) as Facts,
    scenario: <Facts>(name: string, check: (facts: Facts) => void | Promise<void>) =>
      testIt(name, async () => check(await suite.ask<Facts>(name))),
    test: (name, body) => testIt(name, body),
    testFor: (name, rows, body) => testIt.for(rows)(name, body),
    history: (instanceId) => historyOf(suite.sidecar.port, taskHub, instanceId),
    cannot: (name, reason) => test.skip(`${name} (not with this SDK: ${reason})`),
  };
  return suite;
}

/** The value of a JSON text that has to be there. */
export function parsed(text: string | null): unknown {
  return JSON.parse(present(text));
}

/** @throws without a value */
export function present<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error("it is not there");
  return value;
}

/** What the sidecar tells of an instance. */
export async function historyOf(port: number, taskHub: string, instanceId: string) {
  using transport = new GrpcTransport({ host: "127.0.0.1", port });
  const service = createClient(TaskHubSidecarService, transport);
  const chunks = service.streamInstanceHistory({ instanceId }, { headers: { taskhub: taskHub } });
  const events: HistoryEvent[] = [];
  for await (const chunk of chunks) events.push(...chunk.events);
  return events;
}

async function startAll(start: (address: string) => AskedProgram) {
  const directory = await temporaryDirectory();
  const sidecar = await startSidecar({ dataDirectory: directory.path });
  const program = start(sidecar.address);
  const stop = async () => {
    // Its worker would take a second to stop; there are tests of that.
    await program.kill();
    const end = await sidecar.stop();
    await directory[Symbol.asyncDispose]();
    // Whatever the tests did, it was nothing that a sidecar complains about.
    const complaints = sidecar.complaints();
    expect({ end, complaints }).toEqual({ end: 0, complaints: [] });
  };
  return { sidecar, program, stop };
}
