/** Where the time of a CPU profile went. */
import { readFile } from "node:fs/promises";
import { percent, shown, table } from "./table.ts";

interface ProfileNode {
  readonly id: number;
  readonly children?: readonly number[];
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    /** From 0. */
    readonly lineNumber: number;
  };
}

/** The parts of a .cpuprofile file that matter here. Times are microseconds. */
interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Self time of something, in microseconds. */
export interface SelfTime {
  readonly what: string;
  readonly us: number;
}

/** The busy time of a profile, the largest parts first. */
export interface ProfileSummary {
  readonly busyUs: number;
  /**
   * Time by the innermost function of the sidecar on the stack, with all that it called elsewhere.
   */
  readonly callers: readonly SelfTime[];
  readonly places: readonly SelfTime[];
  readonly functions: readonly SelfTime[];
}

/** Sums up what was sampled between two times of the steady clock. */
export async function summarise(
  file: string,
  { fromUs, toUs }: { readonly fromUs: number; readonly toUs: number },
): Promise<ProfileSummary> {
  const profile: CpuProfile = JSON.parse(await readFile(file, "utf8"));
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const callersOf = ownCallers(profile.nodes, nodes);
  const places = new Map<string, number>();
  const functions = new Map<string, number>();
  const callers = new Map<string, number>();
  let busyUs = 0;
  let nowUs = profile.startTime;
  for (const [at, id] of profile.samples.entries()) {
    const us = profile.timeDeltas[at + 1] ?? 0;
    nowUs += profile.timeDeltas[at] ?? 0;
    const frame = nodes.get(id)?.callFrame;
    if (nowUs < fromUs || nowUs > toUs || frame === undefined) continue;
    if (frame.functionName === "(idle)") continue;
    busyUs += us;
    const place = placeOf(frame);
    add(places, place, us);
    add(functions, functionIn(place, frame), us);
    const caller = callersOf.get(id);
    if (caller !== undefined) add(callers, caller, us);
  }
  return {
    busyUs,
    places: largestFirst(places),
    functions: largestFirst(functions),
    callers: largestFirst(callers),
  };
}

/**
 * For each node the innermost function of the sidecar at or above it. A parent comes before its
 * children.
 */
function ownCallers(
  all: readonly ProfileNode[],
  nodes: ReadonlyMap<number, ProfileNode>,
): ReadonlyMap<number, string> {
  const callers = new Map<number, string>();
  for (const { id, callFrame, children = [] } of all) {
    const place = placeOf(callFrame);
    if (place.startsWith("sidecar/")) callers.set(id, functionIn(place, callFrame));
    const caller = callers.get(id);
    if (caller === undefined) continue;
    for (const child of children) if (nodes.has(child)) callers.set(child, caller);
  }
  return callers;
}

/**
 * Three tables: the ten functions in which most time was spent, on whose behalf, and the places.
 *
 * The profiler samples by the clock on the wall, also while the process waits for a core. So it
 * gives the shares; the time that they are shares of is `cpuUsEach`, the CPU of the event loop for
 * one orchestration.
 */
export function profileReport(
  { busyUs, places, functions, callers }: ProfileSummary,
  cpuUsEach: number,
): string {
  const columns = (title: string) => [
    { title, text: ({ what }: SelfTime) => what },
    { title: "share", text: ({ us }: SelfTime) => percent(us / busyUs) },
    { title: "µs each", text: ({ us }: SelfTime) => shown((us / busyUs) * cpuUsEach) },
  ];
  return [
    table(columns("function (self time)"), functions.slice(0, 10)),
    table(columns("function of the sidecar, with all it called elsewhere"), callers.slice(0, 20)),
    table(columns("place (self time)"), places.slice(0, 20)),
  ].join("\n");
}

/** A file of the sidecar, a package, a part of node, or what the profiler puts in brackets. */
function placeOf({ functionName, url }: ProfileNode["callFrame"]): string {
  if (url === "") return functionName.startsWith("(") ? functionName : "native functions";
  const packaged = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  if (packaged !== undefined) return packaged;
  const own = /\/(sidecar\/.+)$/.exec(url)?.[1];
  return own ?? url;
}

function functionIn(place: string, frame: ProfileNode["callFrame"]): string {
  const name = frame.functionName || "(anonymous)";
  if (frame.url === "") return name;
  const file = frame.url.slice(frame.url.lastIndexOf("/") + 1);
  const isFile = place.endsWith(file) || frame.url.startsWith("node:");
  const where = isFile ? place : `${place} ${file}`;
  return `\`${name}\`, ${where}:${frame.lineNumber + 1}`;
}

function add(sums: Map<string, number>, key: string, us: number): void {
  sums.set(key, (sums.get(key) ?? 0) + us);
}

function largestFirst(sums: ReadonlyMap<string, number>): SelfTime[] {
  const all = Array.from(sums, ([what, us]) => ({ what, us }));
  return all.toSorted((left, right) => right.us - left.us);
}
