/**
 * Every field of every request of every service with every kind of value that a client must not, or
 * hardly would, send. The fields come from the descriptors: a method or a field that is new fails
 * here until its request, or the rule for its texts, is in the tables beside this file.
 */
import { isDeepStrictEqual } from "node:util";
import { create, type DescMethod, fromBinary, fromJson, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../sidecar/foundation/limits.ts";
import { stays } from "../../../sidecar/rpc/connection-seats.ts";
import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../../../sidecar/wire/gen/grpc/reflection/v1/reflection_pb.ts";
import { framed, type RawAnswer, RawHttp2 } from "../../support/raw-http2.ts";
import { RunningSidecar } from "../../support/running-app.ts";
import { openHub } from "../../support/scheduler-harness.ts";
import type { Expected, HostileCase } from "./hostile-case.ts";
import { casesOf } from "./hostile-values.ts";
import { HostileWorld, internals, mountAll } from "./hostile-world.ts";
import { type RequestField, requestFields, valueKindOf } from "./request-fields.ts";
import {
  changing,
  fieldKey,
  keyInMethod,
  methodKey,
  namedInTables,
  plans,
  rulesOf,
  whateverIn,
} from "./requests.ts";

const hub = await openHub();
const mounts = mountAll(hub);
const methods = mounts.flatMap(({ service }) => service.methods);
const served = methods.filter((method) => plans[methodKey(method)] !== "not served");

describe("the tables", () => {
  it("are about all that a sidecar serves", async () => {
    await using sidecar = await RunningSidecar.start();
    const [host = "", port = ""] = sidecar.address.split(":");
    await using raw = new RawHttp2({ host, port: Number(port) });
    const request = create(ServerReflectionRequestSchema, {
      messageRequest: { case: "listServices", value: "" },
    });
    const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const asked = toBinary(ServerReflectionRequestSchema, request);
    const { body } = await raw.call(path, framed(asked));
    const answer = fromBinary(ServerReflectionResponseSchema, body.subarray(5)).messageResponse;
    const listed = answer.case === "listServicesResponse" ? answer.value.service : [];
    const tested = mounts.map(({ service }) => service.typeName);
    expect(listed.map(({ name }) => name).toSorted()).toEqual(tested.toSorted());
  });

  it("have a request for every method", () => {
    expect(Object.keys(plans).toSorted()).toEqual(methods.map(methodKey).toSorted());
  });

  it("say of every method that is not there that it is not served", () => {
    const missing = mounts.flatMap(({ service, methods: implemented }) =>
      service.methods.filter(({ localName }) => !implemented.has(localName)),
    );
    const notServed = methods.filter((method) => plans[methodKey(method)] === "not served");
    expect(missing.map(methodKey)).toEqual(notServed.map(methodKey));
  });

  it("have a rule for every text, and every key of a map", () => {
    const undecided = served.flatMap((method) =>
      requestFields(method.input)
        .filter((at) => isUndecided(method, at))
        .map(({ field }) => fieldKey(field)),
    );
    expect([...new Set(undecided)]).toEqual([]);
  });

  it("say nothing of fields and methods that there are not", () => {
    const fields = methods.flatMap((method) =>
      requestFields(method.input).flatMap(({ field }) => [
        fieldKey(field),
        keyInMethod(method, field),
      ]),
    );
    const known = new Set([...fields, ...methods.map(methodKey)]);
    expect(namedInTables().filter((name) => !known.has(name))).toEqual([]);
  });
});

function isUndecided(method: DescMethod, at: RequestField): boolean {
  const { text, key } = rulesOf(method, at);
  const { field } = at;
  if (whateverIn(method, at) !== undefined) return false;
  if (field.fieldKind === "map" && key === undefined) return true;
  const isText = field.fieldKind === "map" ? field.mapKind === "scalar" : isTextField(field);
  return isText && text === undefined;
}

function isTextField(field: RequestField["field"]): boolean {
  return field.fieldKind !== "map" && valueKindOf(field) === "text";
}

/** Codes of a request that was understood. */
const takenCodes: readonly status[] = [
  status.OK,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.FAILED_PRECONDITION,
];

function codesOf(method: DescMethod, expected: Expected): readonly status[] {
  // What waits is still waiting when its time is up.
  const waiting = stays(method) ? [status.DEADLINE_EXCEEDED] : [];
  switch (expected) {
    case "malformed":
    case "refused":
      return [status.INVALID_ARGUMENT];
    case "too large":
      return [status.RESOURCE_EXHAUSTED];
    case "not served":
      return [status.UNIMPLEMENTED];
    case "taken":
      return [...takenCodes, ...waiting];
    case "refused or taken":
      return [...takenCodes, ...waiting, status.UNIMPLEMENTED, status.INVALID_ARGUMENT];
  }
}

describe.each(served.map((method) => ({ name: methodKey(method), method })))(
  "$name",
  ({ name, method }) => {
    const fields = requestFields(method.input);
    const plan = plans[name];
    if (plan === undefined || plan === "not served") return;
    const base = toBinary(method.input, fromJson(method.input, plan.request));

    it(`takes or refuses whatever is in its ${fields.length} fields`, async () => {
      await using world = await HostileWorld.open();
      const { written } = await world.facts();
      const wrong: string[] = [];
      for (const at of fields) wrong.push(...(await tryField(world, method, base, at)));
      expect(wrong).toEqual([]);
      const hasChanged = (await world.facts()).written !== written;
      expect(hasChanged).toBe(changing.includes(name));
      await world.expectServing();
    });
  },
);

/** One request, and what must come of it. */
interface Trial {
  readonly what: string;
  readonly message: Uint8Array;
  readonly expected: Expected;
}

async function tryField(
  world: HostileWorld,
  method: DescMethod,
  base: Uint8Array,
  at: RequestField,
): Promise<string[]> {
  const trials = casesOf(at, rulesOf(method, at)).map((each): Trial => {
    const message = Buffer.concat([base, each.bytes]);
    const expected = expectedOf(method, at, each, message.byteLength);
    return { what: `${fieldKey(at.field)}, ${each.what}`, message, expected };
  });
  const isChange = ({ expected }: Trial) =>
    changing.includes(methodKey(method)) && isTaken(expected);
  const wrong = await tryTogether(
    world,
    method,
    trials.filter((trial) => !isChange(trial)),
  );
  for (const trial of trials.filter(isChange))
    wrong.push(...(await tryAlone(world, method, trial)));
  return wrong;
}

/** Requests that must change nothing, whatever comes of them, are made all at once. */
async function tryTogether(
  world: HostileWorld,
  method: DescMethod,
  trials: readonly Trial[],
): Promise<string[]> {
  const before = await world.facts();
  const wrong = trials.map(async (trial) => {
    const problem = problemOf(await tryOne(world, method, trial), codesOf(method, trial.expected));
    return problem === undefined ? [] : [`${trial.what}: ${problem}`];
  });
  await world.expectServing();
  const found = (await Promise.all(wrong)).flat();
  const isSame = isDeepStrictEqual(await world.facts(), before);
  const first = trials[0]?.what;
  return isSame ? found : [...found, `of ${trials.length} that change nothing, from "${first}" on`];
}

/** A request that may change something, unless it is refused after all. */
async function tryAlone(world: HostileWorld, method: DescMethod, trial: Trial): Promise<string[]> {
  const before = await world.facts();
  const [answer] = await Promise.all([tryOne(world, method, trial), world.expectServing()]);
  if (answer.grpc !== status.OK) expect(await world.facts(), trial.what).toEqual(before);
  const problem = problemOf(answer, codesOf(method, trial.expected));
  return problem === undefined ? [] : [`${trial.what}: ${problem}`];
}

function isTaken(expected: Expected): boolean {
  return expected === "taken" || expected === "refused or taken";
}

function expectedOf(
  method: DescMethod,
  at: RequestField,
  { expected, isElsewhere }: HostileCase,
  bytes: number,
): Expected {
  if (expected === "malformed") return expected;
  // Such a request would stay as long as the call.
  if (stays(method) && bytes > LIMITS.waitRequestBytesMax) return "too large";
  return isElsewhere ? expected : (whateverIn(method, at) ?? expected);
}

function tryOne(
  world: HostileWorld,
  method: DescMethod,
  { message, expected }: Trial,
): Promise<RawAnswer> {
  // What is taken may wait; what is to be refused has all the time that a slow machine needs.
  return world.call(method, message, stays(method) && isTaken(expected) ? "10m" : "1M");
}

function problemOf(answer: RawAnswer, allowed: readonly status[]): string | undefined {
  const { http, grpc, message } = answer;
  const name = grpc === undefined ? "no status" : status[grpc];
  if (http !== 200 || grpc === undefined || !allowed.includes(grpc)) {
    return `${http} ${name} ${message.slice(0, 100)}, not ${allowed.map((code) => status[code])}`;
  }
  if (internals.test(message)) return `${name} tells "${message}"`;
  if (Buffer.byteLength(encodeURI(message.toWellFormed())) > 8_000) return "is told too much";
  return undefined;
}
