/**
 * A watch of one instance. It is pulled: a slow reader finds the newest state, and is told how many
 * changes it has not seen.
 */
import { createHash } from "node:crypto";
import type { Coverable } from "../engine/hub/covers.ts";
import type { InstanceState } from "../engine/state.ts";
import { isTerminal } from "../engine/status.ts";
import type { SteadyClock } from "../foundation/clock.ts";
import { HubError } from "../foundation/errors.ts";
import type { HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { InstanceReader } from "./instance-reader.ts";
import { fingerprintBytes, fingerprintOf } from "./shown.ts";
import type { Waiters, Watcher } from "./waiters.ts";

/** Makes what is shown of an instance, at once: the state goes on changing. */
export type WatchView<T> = (state: InstanceState, covering: readonly HubHold[]) => T;

export interface InstanceWatchRequest {
  readonly instanceId: string;
  /** Empty, or from an answer of an earlier watch; one that cannot be used is as good as none. */
  readonly resumeToken: string;
  /** At least so long between two answers. */
  readonly minIntervalMs: number;
  /** An instance that does not exist is waited for. */
  readonly waitForCreation: boolean;
}

export interface InstanceAnswer<T> {
  readonly event: "snapshot" | "changed" | "finished" | "removed";
  /** Undefined when it was removed. */
  readonly view: T | undefined;
  /** Changes since the answer before that had none of their own. */
  readonly skipped: number;
  readonly token: string;
}

/** What a watch needs of its hub. */
export interface WatchedInstances {
  readonly waiters: Waiters;
  readonly reader: InstanceReader;
  readonly clock: SteadyClock;
  /** Tells the hub from earlier ones of the same name and from restored copies. */
  incarnation(): string;
  /** Tree and selector holds that cover a subject now. */
  covering(subject: Coverable): readonly HubHold[];
}

/** What a reader knows. */
interface Told {
  readonly number: bigint;
  readonly fingerprint: Buffer;
}

interface Seen<T> extends Told {
  readonly view: T;
  readonly isOver: boolean;
}

/**
 * Answers with the state, or with what has changed since the token, then with every change, until
 * the instance has finished or is gone.
 *
 * @throws HubError "instance-not-found", unless it is waited for; the signal's reason when the call
 * ends; what `Waiters.endAll` was given at shutdown
 */
export async function* watchInstance<T>(
  hub: WatchedInstances,
  request: InstanceWatchRequest,
  view: WatchView<T>,
  signal: AbortSignal,
): AsyncGenerator<InstanceAnswer<T>> {
  const { instanceId, minIntervalMs, waitForCreation } = request;
  using watcher = hub.waiters.watch(instanceId);
  let told = readToken(hub, request);
  let toldChanges = 0;
  let quietUntilMs = 0;
  // Ends with the instance, or with the call.
  for (;;) {
    const { seen, changes } = await look(hub, instanceId, watcher, view);
    const missed = told === undefined ? 0 : Math.max(0, changes - toldChanges - 1);
    if (seen === undefined && told !== undefined) {
      yield removed(missed);
      return;
    }
    if (seen === undefined && !waitForCreation) throw unknownInstance(instanceId);
    if (seen !== undefined) {
      // What was undone before anybody looked is a change too.
      if (changes > toldChanges || !isSame(told, seen)) {
        const event = eventOf(told, seen);
        yield { event, view: seen.view, skipped: missed, token: tokenOf(hub, request, seen) };
        quietUntilMs = hub.clock.nowMs() + minIntervalMs;
      }
      if (seen.isOver) return;
      told = { number: seen.number, fingerprint: seen.fingerprint };
      toldChanges = changes;
    }
    if (await isGone(watcher, hub.clock, quietUntilMs, signal)) {
      if (told === undefined) throw unknownInstance(instanceId);
      yield removed(Math.max(0, watcher.changes - toldChanges));
      return;
    }
  }
}

/** Looks at the newest state. Whatever was decided before is in it. */
function look<T>(
  hub: WatchedInstances,
  instanceId: string,
  watcher: Watcher,
  view: WatchView<T>,
): Promise<{ readonly seen: Seen<T> | undefined; readonly changes: number }> {
  return hub.reader.look(instanceId, (state) => {
    const isOver = state !== undefined && isTerminal(state);
    const covering = state === undefined || isOver ? none : hub.covering(state);
    watcher.subject = state && subjectOf(state);
    watcher.looked = watcher.changes;
    if (state === undefined) return { seen: undefined, changes: watcher.changes };
    const fingerprint = fingerprintOf(state, covering);
    const seen = { number: state.number, fingerprint, view: view(state, covering), isOver };
    return { seen, changes: watcher.changes };
  });
}

const none: readonly HubHold[] = [];

/** The parts alone: the state would stay in memory as long as the watch. */
function subjectOf({ kind, instanceId, name, version, tags, number, ancestors }: InstanceState) {
  return { kind, instanceId, name, version, tags, number, ancestors } satisfies Coverable;
}

/** Waits for the next change, and lets the interval pass. True: the hub was deleted. */
async function isGone(
  watcher: Watcher,
  clock: SteadyClock,
  quietUntilMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await watcher.next(signal);
    const quietMs = quietUntilMs - clock.nowMs();
    if (quietMs > 0) await watcher.pause(quietMs, clock, signal);
    return false;
  } catch (error) {
    if (error instanceof HubError && error.code === "instance-not-found") return true;
    throw error;
  }
}

function eventOf(told: Told | undefined, seen: Seen<unknown>): InstanceAnswer<unknown>["event"] {
  if (seen.isOver) return "finished";
  return told?.number === seen.number ? "changed" : "snapshot";
}

function isSame(told: Told | undefined, { number, fingerprint }: Told): boolean {
  return told?.number === number && told.fingerprint.equals(fingerprint);
}

function removed(skipped: number) {
  return { event: "removed", view: undefined, skipped, token: "" } as const;
}

function unknownInstance(instanceId: string): HubError {
  return new HubError(
    "instance-not-found",
    `instance ${JSON.stringify(instanceId)} does not exist`,
  );
}

const tokenVersion = 1;
const hubBytes = 8;
const numberBytes = 8;

/** Version, digest of hub and instance id, storage number of the life, fingerprint. */
function tokenOf(
  { incarnation }: WatchedInstances,
  { instanceId }: InstanceWatchRequest,
  { number, fingerprint }: Told,
): string {
  const life = Buffer.alloc(numberBytes);
  life.writeBigUInt64BE(number);
  const about = digestOf(incarnation(), instanceId);
  return Buffer.concat([Buffer.of(tokenVersion), about, life, fingerprint]).toString("base64url");
}

function readToken(
  { incarnation }: WatchedInstances,
  { instanceId, resumeToken }: InstanceWatchRequest,
): Told | undefined {
  const bytes = Buffer.from(resumeToken, "base64url");
  const lifeAt = 1 + hubBytes;
  const fingerprintAt = lifeAt + numberBytes;
  if (bytes.length !== fingerprintAt + fingerprintBytes || bytes[0] !== tokenVersion) return;
  if (!bytes.subarray(1, lifeAt).equals(digestOf(incarnation(), instanceId))) return;
  return { number: bytes.readBigUInt64BE(lifeAt), fingerprint: bytes.subarray(fingerprintAt) };
}

function digestOf(incarnation: string, instanceId: string): Buffer {
  const digest = createHash("sha256")
    .update(JSON.stringify([incarnation, instanceId]))
    .digest();
  return digest.subarray(0, hubBytes);
}
