/** The scenarios of an area, each tried with every SDK that is a program of its own. */
import { randomUUID } from "node:crypto";
import { afterAll, expect, test, vi } from "vitest";
import type { HistoryEvent } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import type { AskedProgram } from "./asked-program.ts";
import { findGo, GoProgram } from "./go-program.ts";
import { eventsOf, typesOf } from "./history-events.ts";
import { findJava, JavaProgram } from "./java-program.ts";
import { JAVASCRIPT_AREAS, JavaScriptProgram } from "./javascript-program.ts";
import { type Failure, historyOf, type ProgramState } from "./program-state.ts";
import { findPython, PythonProgram, snakeCase } from "./python-program.ts";
import { type SidecarProcess, startSidecar } from "./sidecar-process.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

type Start = (area: string, address: string, taskHub: string) => AskedProgram;

/** How a program of each language is started: undefined where its toolchain is missing. */
const toolchains = {
  javascript:
    async (): Promise<Start | undefined> =>
    (...args) =>
      new JavaScriptProgram(...args),
  python: async (): Promise<Start | undefined> => {
    const python = await findPython();
    return python && ((area, ...where) => new PythonProgram(python, snakeCase(area), ...where));
  },
  java: async (): Promise<Start | undefined> => {
    const java = await findJava();
    return java && ((...args) => new JavaProgram(java, ...args));
  },
  go: async (): Promise<Start | undefined> => {
    const go = await findGo();
    return go && ((...args) => new GoProgram(go, ...args));
  },
};

export type Language = keyof typeof toolchains;

/** Something for some of the languages. */
type ByLanguage<T> = Readonly<Partial<Record<Language, T>>>;

/** What a scenario may ask of one SDK. */
export interface ProgramSuite {
  readonly language: Language;
  /** The one that the SDK's program works in. */
  readonly taskHub: string;
  /** Runs a scenario or a command of the area. */
  ask<Facts>(name: string, ...given: readonly unknown[]): Promise<Facts>;
  /** What the sidecar tells of an instance, for an SDK that does not read histories. */
  history(instanceId: string): Promise<readonly HistoryEvent[]>;
  /** The sidecar that all languages of the file share, each in a task hub of its own. */
  sidecar(): Promise<SidecarProcess>;
  /** Starts another program of this SDK, for a test that ends it by itself. */
  start: Start;
}

/** Makes the tests of a scenario for one SDK. */
type How = (suite: ProgramSuite, name: string, testIt: typeof test.concurrent) => void;

/** The program has a scenario of this name; here is what it must have seen. */
export function facts<Facts>(
  check: (facts: Facts, suite: ProgramSuite) => void | Promise<void>,
): How {
  return (suite, name, testIt) =>
    testIt(titleOf(suite, name), async () => check(await suite.ask<Facts>(name), suite));
}

/** A test that asks for commands by itself. */
export function steps(body: (suite: ProgramSuite) => Promise<void>): How {
  return (suite, name, testIt) => testIt(titleOf(suite, name), () => body(suite));
}

/** A test for each row; `$key` in the scenario's name stands for the row's value. */
export function rows<Row extends object>(
  table: readonly Row[],
  body: (row: Row, suite: ProgramSuite) => Promise<void>,
): How {
  return (suite, name, testIt) =>
    testIt.for(table)(titleOf(suite, name), (row) => body(row, suite));
}

/** The SDK has no means for the scenario. */
export function cannot(reason: string): How {
  return (suite, name) => test.skip(`${titleOf(suite, name)} (not with this SDK: ${reason})`);
}

/**
 * What makes the tests of a scenario, one for each SDK; `own` has what is special about some of them.
 *
 * @param without why an SDK has nothing of the area: it is not even looked for then
 * @throws where CI is set and a toolchain is missing
 */
export async function programArea(area: string, without: ByLanguage<string> = {}) {
  // The first test of each language starts its program, and on the way the sidecar.
  vi.setConfig({ testTimeout: 120_000 });
  const sidecar = lazy(startSilent);
  const all = Object.keys(toolchains) as readonly Language[];
  const languages = all.filter((one) => one !== "javascript" || JAVASCRIPT_AREAS.includes(area));
  const suites = await Promise.all(
    languages.map((language) => suiteOf({ area, language, sidecar, reason: without[language] })),
  );
  afterAll(async () => {
    // The worker of a program would take a second to stop; there are tests of that.
    for (const { program } of suites) await (await program.made())?.kill();
    await (await sidecar.made())?.stop();
  });
  return {
    scenario(name: string, how: How, own: ByLanguage<How> = {}): void {
      for (const { suite, testIt, reason } of suites) {
        const its = own[suite.language] ?? (reason === undefined ? how : cannot(reason));
        its(suite, name, testIt);
      }
    },
  };
}

/** The types of a history's events, as the SDK has told, or the sidecar about this instance. */
export async function typesIn(
  seen: readonly string[] | ProgramState,
  { history }: ProgramSuite,
): Promise<readonly (string | undefined)[]> {
  if ("instanceId" in seen) return typesOf(await history(seen.instanceId));
  return seen.map((type) => type.charAt(0).toLowerCase() + type.slice(1));
}

/** How an instance has failed; the client of the Go SDK leaves that out of what it gives. */
export async function failureIn(
  { failure, instanceId }: ProgramState,
  { language, history }: ProgramSuite,
): Promise<Failure | null> {
  if (language !== "go") return failure;
  const [completed] = eventsOf(await history(instanceId), "executionCompleted");
  if (completed?.failureDetails === undefined) return null;
  const { errorType: type, errorMessage: message } = completed.failureDetails;
  return { type, message };
}

interface Wanted {
  readonly area: string;
  readonly language: Language;
  readonly sidecar: Lazy<Awaited<ReturnType<typeof startSilent>>>;
  readonly reason: string | undefined;
}

async function suiteOf({ area, language, sidecar, reason }: Wanted) {
  const found = reason === undefined ? await toolchains[language]() : undefined;
  const start: Start = (...args) => {
    if (found === undefined) throw new Error(`there is no ${language}`);
    return found(...args);
  };
  const taskHub = `${language}-${randomUUID()}`;
  const program = lazy(async () => start(area, (await sidecar.get()).process.address, taskHub));
  const suite: ProgramSuite = {
    language,
    taskHub,
    start,
    ask: async <Facts>(name: string, ...given: readonly unknown[]) =>
      (await (await program.get()).ask(name, ...given)) as Facts,
    history: async (instanceId) =>
      historyOf((await sidecar.get()).process.port, taskHub, instanceId),
    sidecar: async () => (await sidecar.get()).process,
  };
  return { suite, program, reason, testIt: found === undefined ? test.skip : test.concurrent };
}

function titleOf({ language }: ProgramSuite, name: string): string {
  return `${language}: ${name}`;
}

interface Lazy<T> {
  /** Makes it when it is first wanted: a run of one language starts nothing of the others. */
  get(): Promise<T>;
  /** Undefined if nobody has wanted it. */
  made(): Promise<T> | undefined;
}

function lazy<T>(make: () => Promise<T>): Lazy<T> {
  let made: Promise<T> | undefined;
  return {
    get: () => {
      made ??= make();
      return made;
    },
    made: () => made,
  };
}

/** A sidecar that must have nothing to complain about, whatever the tests do. */
async function startSilent() {
  const directory = await temporaryDirectory();
  const process = await startSidecar({ dataDirectory: directory.path });
  const stop = async () => {
    const end = await process.stop();
    await directory[Symbol.asyncDispose]();
    expect({ end, complaints: process.complaints() }).toEqual({ end: 0, complaints: [] });
  };
  return { process, stop };
}
