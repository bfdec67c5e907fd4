/**
 * T-FUZZ: valid requests with random damage, against every method. The process serves after each,
 * nothing changes when a request is refused, and the answer is one that a client can act on.
 *
 * `SEED=… npx vitest run test/fault/fuzz` repeats a run, `RIG_LONG=1` is the long form.
 */
import { type DescMethod, fromJson, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { stays } from "../../sidecar/rpc/connection-seats.ts";
import { damaged, type Random, seededRandom } from "../rpc/hostile/damage.ts";
import { HostileWorld, internals, mountAll } from "../rpc/hostile/hostile-world.ts";
import { methodKey, plans } from "../rpc/hostile/requests.ts";
import { richRequest } from "../rpc/hostile/rich-request.ts";
import type { RawAnswer } from "../support/raw-http2.ts";
import { rig } from "../support/rig.ts";
import { openHub } from "../support/scheduler-harness.ts";

const it = rig("T-FUZZ");

/** Never UNKNOWN and never INTERNAL, which workers retry and which mean a bug. */
const allowed: ReadonlySet<number | undefined> = new Set([
  status.OK,
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.FAILED_PRECONDITION,
  status.RESOURCE_EXHAUSTED,
  status.UNIMPLEMENTED,
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
]);

const unchanging: ReadonlySet<number | undefined> = new Set(
  [...allowed].filter((code) => code !== status.OK && code !== status.DEADLINE_EXCEEDED),
);

const hub = await openHub();
const methods = mountAll(hub)
  .flatMap(({ service }) => service.methods)
  .filter((method) => plans[methodKey(method)] !== "not served");

test("T-FUZZ: no damage to a request breaks anything", async () => {
  const random = seededRandom(it.seed);
  const codes = new Map<string, number>();
  const rounds = it.count(40, 4_000);
  let requests = 0;
  for (let round = 0; round < rounds; round += 1) {
    // A hub that nothing has happened in: what came before must not decide what comes.
    await using world = await HostileWorld.open();
    for (const method of methods) {
      const before = await world.facts();
      const message = messageFor(method, random);
      const answer = await world.call(method, message, stays(method) ? "5m" : "20S");
      requests += 1;
      check(method, message, answer);
      if (unchanging.has(answer.grpc)) expect(await world.facts()).toEqual(before);
      const name = status[answer.grpc ?? -1] ?? "none";
      codes.set(name, (codes.get(name) ?? 0) + 1);
    }
    await world.expectServing();
  }
  expect(codes.get("OK")).toBeGreaterThan(0);
  expect(codes.get("INVALID_ARGUMENT")).toBeGreaterThan(0);
  it.report({ requests, ...Object.fromEntries(codes) });
});

function messageFor(method: DescMethod, random: Random): Uint8Array {
  const plan = plans[methodKey(method)];
  if (plan === undefined || plan === "not served") throw new Error(`no plan for ${method}`);
  const base = toBinary(method.input, fromJson(method.input, plan.request));
  const rich = random.chance(0.3) ? richRequest(method.input, random) : new Uint8Array();
  return damaged(Buffer.concat([base, rich]), random);
}

function check(method: DescMethod, message: Uint8Array, answer: RawAnswer): void {
  const what = `${methodKey(method)} ${Buffer.from(message).toString("hex")}`;
  expect(allowed, `${status[answer.grpc ?? -1]} of ${what}`).toContain(answer.grpc);
  expect(answer.message, what).not.toMatch(internals);
}
