/** Runs checks, several at a time, each until its own patience is over. */
import { Code, ConnectError } from "@connectrpc/connect";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { type Check, CheckFailure, type Need } from "./check.ts";
import { CheckContext, type Target } from "./context.ts";
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
}

export interface RunOptions {
  readonly host: string;
  readonly port: number;
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

/** Runs all of them, and returns the results in the order of the checks. Never rejects. */
export async function runChecks(
  checks: readonly Check[],
  options: RunOptions,
): Promise<readonly CheckResult[]> {
  const { host, port, taskHub, concurrency, slow, patience = 1 } = options;
  const channel = { "grpc.max_receive_message_length": -1 };
  using transport = new GrpcTransport({ host, port }, channel);
  const switchboard = new Switchboard(runName());
  const target: Target = { host, port, taskHub, transport, switchboard };
  const lacking = await findLacking(target);
  const results: CheckResult[] = [];
  const waiting = [...checks.entries()];
  const takeNext = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [at, check] = next;
      const patienceMs = patience * (check.patienceMs ?? PATIENCE_MS);
      const skipped = reasonToSkip(check, lacking, slow);
      results[at] = await runOne(check, target, patienceMs, skipped);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, takeNext));
  return results;
}

async function runOne(
  check: Check,
  target: Target,
  patienceMs: number,
  skipped: Verdict | undefined,
): Promise<CheckResult> {
  const beganAt = performance.now();
  const [outcome, reason] = skipped ?? (await verdictOf(check, target, patienceMs));
  const seconds = Math.round(performance.now() - beganAt) / 1_000;
  const { id, title, traps = [] } = check;
  return { id, title, traps, outcome, reason, seconds };
}

async function verdictOf(check: Check, target: Target, patienceMs: number): Promise<Verdict> {
  const context = new CheckContext(target);
  const patience = Promise.withResolvers<Verdict>();
  const timer = setTimeout(() => {
    const what = context.waitsFor() || "its own end";
    patience.resolve(["failed", `expected ${what}, but nothing came in ${patienceMs / 1_000} s`]);
  }, patienceMs);
  const ran = check.run(context).then((): Verdict => ["passed", ""], verdictOn);
  const verdict = await Promise.race([ran, patience.promise]);
  clearTimeout(timer);
  await context.close();
  return verdict;
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
  return check.slow && !slow ? ["skipped", "it takes half a minute: --slow runs it"] : undefined;
}

async function findLacking(target: Target): Promise<Lacking> {
  const lacking = new Map<Need, Verdict>();
  const context = new CheckContext(target);
  const here = { instanceId: context.id() };
  const timeoutMs = PATIENCE_MS;
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
    if (other.exists) lacking.set("isolated-hubs", ["skipped", ONE_HUB]);
  } catch (error) {
    const { rawMessage } = ConnectError.from(error);
    lacking.set("isolated-hubs", ["skipped", `${ONE_HUB}: ${rawMessage}`]);
  }
  // Without isolation there is no hub of our own, and nothing that may be deleted as one.
  await context.close(!lacking.has("isolated-hubs"));
  return lacking;
}

const ONE_HUB = "the service does not isolate task hubs, and this one may have other data";

function runName(): string {
  return Math.floor(Math.random() * 36 ** 6)
    .toString(36)
    .padStart(6, "0");
}
