/** Runs checks, several at a time, each until its own patience is over. */
import { Code, ConnectError } from "@connectrpc/connect";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { type Check, CheckFailure, type Need } from "./check.ts";
import { CheckContext, type Target } from "./context.ts";
import { ServiceProcess } from "./service-process.ts";
import { Switchboard } from "./switchboard.ts";

/**
 * `not offered`: the service answers a method that the check needs with UNIMPLEMENTED. `skipped`:
 * it was not run, and the reason says why.
 */
export type Outcome = "passed" | "failed" | "not offered" | "skipped";

export interface CheckResult {
  readonly id: string;
  readonly title: string;
  readonly traps: readonly string[];
  readonly outcome: Outcome;
  /** What was expected and what came, or why it was not run; empty when it has passed. */
  readonly reason: string;
  readonly seconds: number;
  /** Names of the methods that it has called. */
  readonly calls: readonly string[];
}

export interface RunOptions extends CheckOptions {
  readonly host: string;
  readonly port: number;
}

export interface CheckOptions {
  readonly taskHub?: string | undefined;
  /** How many checks run at once. */
  readonly concurrency: number;
  /** Also those that take long. */
  readonly slow: boolean;
  /** How many times its own patience each check has, for a busy machine; 1 if not given. */
  readonly patience?: number;
}

const PATIENCE_MS = 10_000;

/** The outcome and its reason. */
type Verdict = readonly [Outcome, string];

interface Ran {
  readonly verdict: Verdict;
  readonly calls: readonly string[];
}

const NOT_RUN: Verdict = ["skipped", "it was not run"];

/** Runs all of them, and returns the results in the order of the checks. Never rejects. */
export async function runChecks(
  checks: readonly Check[],
  options: RunOptions,
): Promise<readonly CheckResult[]> {
  using opened = openTarget(options);
  const lacking = await findLacking(opened.target);
  return await inParallel(checks, options.concurrency, (check) =>
    runOne(check, opened.target, lacking, options),
  );
}

/**
 * Runs each of them against a service of its own: see ServiceProcess for the command.
 *
 * @throws ServiceDidNotStart
 */
export async function runChecksAlone(
  checks: readonly Check[],
  options: CheckOptions & { readonly command: string },
): Promise<readonly CheckResult[]> {
  const { command } = options;
  // To look for what is lacking leaves something behind as well.
  const lacking = new Map(await withService(options, findLacking));
  // Whatever the service makes of the names of hubs, all that it has is of one check.
  lacking.delete("own-hub");
  return inParallel(checks, options.concurrency, async (check) => {
    if (reasonToSkip(check, lacking, options.slow) !== undefined) {
      return runOne(check, undefined, lacking, options);
    }
    await using service = await ServiceProcess.start(command);
    using opened = openTarget({ ...options, host: service.host, port: service.port });
    const result = await runOne(check, opened.target, lacking, options);
    if (!service.hasEnded) return result;
    return { ...result, reason: `${result.reason} (its process has ended)`.trim() };
  });
}

async function withService<T>(
  options: CheckOptions & { readonly command: string },
  use: (target: Target) => Promise<T>,
): Promise<T> {
  await using service = await ServiceProcess.start(options.command);
  using opened = openTarget({ ...options, host: service.host, port: service.port });
  return await use(opened.target);
}

function openTarget({ host, port, taskHub }: RunOptions): Disposable & { readonly target: Target } {
  const transport = new GrpcTransport({ host, port }, { "grpc.max_receive_message_length": -1 });
  const target = { host, port, taskHub, transport, switchboard: new Switchboard(runName()) };
  return { target, [Symbol.dispose]: () => transport[Symbol.dispose]() };
}

async function inParallel(
  checks: readonly Check[],
  concurrency: number,
  run: (check: Check) => Promise<CheckResult>,
): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  const waiting = [...checks.entries()];
  const takeNext = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [at, check] = next;
      results[at] = await run(check);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, takeNext));
  return results;
}

/** @param target undefined for a check that is not run */
async function runOne(
  check: Check,
  target: Target | undefined,
  lacking: Lacking,
  { slow, patience = 1 }: CheckOptions,
): Promise<CheckResult> {
  const patienceMs = patience * (check.patienceMs ?? PATIENCE_MS);
  const beganAt = performance.now();
  const toSkip = reasonToSkip(check, lacking, slow);
  const ran =
    toSkip === undefined && target !== undefined
      ? await run(check, target, patienceMs)
      : { verdict: toSkip ?? NOT_RUN, calls: [] };
  const [outcome, reason] = ran.verdict;
  const seconds = Math.round(performance.now() - beganAt) / 1_000;
  const { id, title, traps = [] } = check;
  return { id, title, traps, outcome, reason, seconds, calls: ran.calls };
}

async function run(check: Check, target: Target, patienceMs: number): Promise<Ran> {
  const context = new CheckContext(target);
  const patience = Promise.withResolvers<Verdict>();
  const timer = setTimeout(() => {
    const what = context.waitsFor() || "its own end";
    patience.resolve(["failed", `expected ${what}, but nothing came in ${patienceMs / 1_000} s`]);
  }, patienceMs);
  const running = check.run(context).then((): Verdict => ["passed", ""], verdictOn);
  const verdict = await Promise.race([running, patience.promise]);
  clearTimeout(timer);
  // What is done to clean up is nothing that was checked.
  const calls = [...context.calls].toSorted();
  await context.close();
  return { verdict, calls };
}

function verdictOn(error: unknown): Verdict {
  if (error instanceof CheckFailure) return ["failed", error.message];
  if (!(error instanceof ConnectError)) return ["failed", String(error)];
  if (error.code === Code.Unimplemented) return ["not offered", error.rawMessage];
  return ["failed", `expected OK, but got ${Code[error.code]}: ${error.rawMessage}`];
}

/** Why checks that need something cannot be run. */
type Lacking = ReadonlyMap<Need, Verdict>;

function reasonToSkip(check: Check, lacking: Lacking, slow: boolean): Verdict | undefined {
  for (const need of check.needs ?? []) {
    const verdict = lacking.get(need);
    if (verdict !== undefined) return verdict;
  }
  return check.slow && !slow
    ? ["skipped", "it takes up to a minute and a half: --slow runs it"]
    : undefined;
}

async function findLacking(target: Target): Promise<Lacking> {
  const lacking = new Map<Need, Verdict>();
  const context = new CheckContext(target);
  const here = { instanceId: context.id() };
  const timeoutMs = PATIENCE_MS;
  const isOneHub = (detail: string) => {
    lacking.set("isolated-hubs", ["skipped", `${ONE_HUB}${detail}`]);
    lacking.set("own-hub", ["skipped", `${ONE_HUB}${detail}, and this one may have other data`]);
  };
  try {
    await context.client.getEntity({ instanceId: context.entityId() }, { timeoutMs });
  } catch (error) {
    if (ConnectError.from(error).code === Code.Unimplemented) {
      lacking.set("entities", ["not offered", "entities are not offered"]);
    }
  }
  try {
    await context.start(here);
    const other = await context.ownHub().client.getInstance(here, { timeoutMs });
    if (other.exists) isOneHub("");
  } catch (error) {
    isOneHub(`: ${ConnectError.from(error).rawMessage}`);
  }
  // Without isolation there is no hub of our own, and nothing that may be deleted as one.
  await context.close(!lacking.has("isolated-hubs"));
  return lacking;
}

const ONE_HUB = "the service does not isolate task hubs";

function runName(): string {
  return Math.floor(Math.random() * 36 ** 6)
    .toString(36)
    .padStart(6, "0");
}
