/**
 * T-ROT: whatever becomes of one file of a stopped sidecar, it is refused, or every value is right.
 * Never a hole, never a wrong value, never a hang. Each kind of file meets each kind of damage, at a
 * random place; then all of it is random.
 */
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HubError } from "../../sidecar/foundation/errors.ts";
import { openLevelStore } from "../../sidecar/store/level/store.ts";
import type { OrderedBytes } from "../../sidecar/store/ordered/bytes.ts";
import { rig } from "../support/rig.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/temporary-directory.ts";
import { Random } from "./kill/random.ts";
import { DAMAGES, type Damage, damage, kindsIn, pick } from "./rot/damage.ts";
import { createStored, RESERVE_BYTES, readAll } from "./rot/stored.ts";

let whole: TemporaryDirectory;
let expected: readonly string[];

beforeAll(async () => {
  whole = await temporaryDirectory();
  await createStored(join(whole.path, "data"));
  await cp(join(whole.path, "data"), join(whole.path, "read"), { recursive: true });
  const outcome = await served(join(whole.path, "read"), []);
  if (typeof outcome === "string") throw new Error(outcome);
  expected = outcome;
});

afterAll(() => whole[Symbol.asyncDispose]());

type Refusal = "refused at opening" | "refused when read";

/** All rows, or how it was refused. Anything else that it throws is not allowed. */
async function served(
  directory: string,
  keys: readonly string[],
): Promise<readonly string[] | Refusal> {
  let opened: OrderedBytes | undefined;
  let refusal: Refusal = "refused at opening";
  try {
    await using _store = await openLevelStore({
      directory,
      reserveBytes: RESERVE_BYTES,
      wrap(inner) {
        opened = inner;
        return inner;
      },
    });
    refusal = "refused when read";
    if (opened === undefined) throw new Error("nothing was opened");
    return await readAll(opened, keys);
  } catch (error) {
    if (error instanceof HubError && isRefusal(error)) return refusal;
    throw error;
  }
}

function isRefusal({ code }: HubError): boolean {
  return code === "store-distrusted" || code === "store-refused";
}

interface Strike {
  readonly fileKind: string;
  readonly kind: Damage;
}

/** Every kind of file that a sidecar leaves behind: a new one has to be listed here. */
const FILE_KINDS = [
  ".ldb",
  ".log",
  "ACCEPTED_LOSSES",
  "ACKNOWLEDGED",
  "CURRENT",
  "LOCK",
  "LOG",
  "LOG.old",
  "MANIFEST",
  "RESERVE",
  "TASKHUB",
];

test("damage to any file at any place is refused, or does no harm", async () => {
  const it = rig("T-ROT");
  const random = new Random(it.seed);
  expect(await kindsIn(join(whole.path, "data"))).toEqual(FILE_KINDS);
  const keys = expected.map((row) => row.slice(0, row.indexOf(" ")));
  const strikes = strikesOf(random, it.count(45, 400));
  const figures: Record<string, number> = { places: strikes.length };
  const met = new Set<string>();
  const count = (name: string) => {
    figures[name] = (figures[name] ?? 0) + 1;
  };
  for (const [at, { fileKind, kind }] of strikes.entries()) {
    const directory = join(whole.path, `damaged-${at}`);
    await cp(join(whole.path, "data"), directory, { recursive: true });
    const where = await damage({ directory, fileKind, kind, random });
    const outcome = await served(directory, keys).catch((error: unknown) => {
      throw new Error(`SEED=${it.seed}: ${where}: ${String(error)}`, { cause: error });
    });
    met.add(`${kind} ${fileKind}`);
    count(kind);
    count(fileKind);
    if (typeof outcome === "string") count(outcome);
    else {
      expect(outcome.length, `SEED=${it.seed}: ${where}`).toBe(expected.length);
      expect(outcome, `SEED=${it.seed}: ${where}`).toEqual(expected);
      count("served, all right");
    }
    await rm(directory, { recursive: true });
  }
  expect(met.size).toBe(FILE_KINDS.length * DAMAGES.length);
  it.report(figures);
});

/** Each kind of damage to each kind of file, and then as many at random. */
function strikesOf(random: Random, count: number): readonly Strike[] {
  return [
    ...FILE_KINDS.flatMap((fileKind) => DAMAGES.map((kind) => ({ fileKind, kind }))),
    ...Array.from({ length: count }, () => ({
      fileKind: pick(FILE_KINDS, random),
      kind: pick(DAMAGES, random),
    })),
  ];
}
