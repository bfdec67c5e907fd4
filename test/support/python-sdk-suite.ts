/** One sidecar process and one Python program with the published SDK for all tests of a file. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { findPython, type Python, PythonProgram } from "./python-program.ts";
import { type SidecarProcess, startSidecar } from "./sidecar-process.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** An orchestration's state as the SDK gives it: see `facts` in hub.py. */
export interface PythonState {
  readonly instanceId: string;
  readonly name: string;
  readonly status: string;
  readonly input: string | null;
  readonly output: string | null;
  readonly customStatus: string | null;
  readonly failure: { readonly type: string; readonly message: string } | null;
}

/** An event of a history: its type, and its fields under their names in Python. */
export interface PythonEvent {
  readonly type: string;
  readonly event_id: number;
  readonly timestamp: string;
  readonly [field: string]: unknown;
}

export interface PythonSuite {
  /** Whether the tests run: there is a Python with the packages. */
  readonly runs: boolean;
  readonly python: Python;
  readonly sidecar: SidecarProcess;
  /** Runs a command of the file's area. */
  ask<Facts>(name: string, ...given: readonly unknown[]): Promise<Facts>;
  /** A test of the scenario that the area has under this name. */
  scenario<Facts>(name: string, check: (facts: Facts) => void): void;
  /** A test that asks for commands by itself. */
  test(name: string, body: () => Promise<void>): void;
  /** A test for each row; `$key` in its name stands for the row's value. */
  testFor<Row extends object>(
    name: string,
    rows: readonly Row[],
    body: (row: Row) => Promise<void>,
  ): void;
  /** A scenario that this SDK has no means for. */
  cannot(name: string, reason: string): void;
}

/** @param area a file of test/interop/python */
export async function pythonSuite(area: string): Promise<PythonSuite> {
  const python = await findPython();
  const testIt = python === undefined ? test.skip : test.concurrent;
  let running: Awaited<ReturnType<typeof startAll>> | undefined;
  if (python !== undefined) {
    beforeAll(async () => {
      running = await startAll(python, area);
    });
    afterAll(() => running?.stop());
  }
  const suite: PythonSuite = {
    runs: python !== undefined,
    get python() {
      return present(python);
    },
    get sidecar() {
      return present(running).sidecar;
    },
    ask: async <Facts>(name: string, ...given: readonly unknown[]) =>
      (await present(running).program.ask(name, ...given)) as Facts,
    scenario: <Facts>(name: string, check: (facts: Facts) => void) =>
      testIt(name, async () => check(await suite.ask<Facts>(name))),
    test: (name, body) => testIt(name, body),
    testFor: (name, rows, body) => testIt.for(rows)(name, body),
    cannot: (name, reason) => test.skip(`${name} (not with this SDK: ${reason})`),
  };
  return suite;
}

/** The value of a JSON text that has to be there. */
export function parsed(text: string | null): unknown {
  return JSON.parse(present(text));
}

function present<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error("it is not there");
  return value;
}

async function startAll(python: Python, area: string) {
  const directory = await temporaryDirectory();
  const sidecar = await startSidecar({ dataDirectory: directory.path });
  const program = new PythonProgram(python, area, sidecar.address);
  const stop = async () => {
    // Its worker would take a second to stop; there are tests of that.
    await program.kill();
    const end = await sidecar.stop();
    await directory[Symbol.asyncDispose]();
    // Whatever the tests did, it was nothing that a sidecar complains about.
    const complaints = sidecar.logs().filter(({ level }) => level !== "info" && level !== "debug");
    expect({ end, complaints }).toEqual({ end: 0, complaints: [] });
  };
  return { sidecar, program, stop };
}
