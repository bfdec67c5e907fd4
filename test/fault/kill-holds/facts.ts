/** Everything that a sidecar says of what it keeps, as plain data that two lives can be compared by. */
import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import {
  GetCustomStatusResponseSchema,
  GetCustomStatusSchemaResponseSchema,
  ListCustomStatusRevisionsResponseSchema,
} from "../../../sidecar/wire/gen/taskhub/v1/custom_status_pb.ts";
import { GetTaskHubResponseSchema } from "../../../sidecar/wire/gen/taskhub/v1/insight_pb.ts";
import { InstanceSchema } from "../../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import {
  BufferedEventsSchema,
  type GetSuspensionResponse,
  SuspensionSchema,
  WorkKind,
} from "../../../sidecar/wire/gen/taskhub/v1/suspension_pb.ts";
import { readAll } from "../../support/compat-world.ts";
import { CLOSED_HUB, type HeldSidecar, inClosedHub } from "./held-sidecar.ts";

type CallOptions = { readonly headers?: Record<string, string> };
export type HubFacts = Awaited<ReturnType<typeof factsOfHub>>;
export type Facts = Readonly<Record<string, HubFacts>>;

/** Its timer fires at a time of its own, meanwhile: what that changes says nothing. */
export const TICKING = "ticking";

export async function factsOf(sidecar: HeldSidecar): Promise<Facts> {
  return {
    default: await factsOfHub(sidecar, {}),
    [CLOSED_HUB]: await factsOfHub(sidecar, inClosedHub),
  };
}

async function factsOfHub({ v1, compat }: HeldSidecar, options: CallOptions) {
  const suspensions = await allPages(async (pageToken) => {
    const page = await v1.listSuspensions({ pageToken, pageSize: 3 }, options);
    return { items: page.suspensions, next: page.nextPageToken };
  });
  const found = await allPages(async (pageToken) => {
    const page = await v1.queryInstances({ pageToken, pageSize: 5 }, options);
    return { items: page.instances, next: page.nextPageToken };
  });
  const instances = await Promise.all(
    found.map(async (queried) => {
      const { instanceId } = queried;
      const [history, suspension, customStatus, revisions] = await Promise.all([
        readAll(compat.streamInstanceHistory({ instanceId }, options)),
        v1.getSuspension({ instanceId }, options),
        v1.getCustomStatus({ instanceId }, options),
        v1.listCustomStatusRevisions({ instanceId }, options),
      ]);
      const facts = {
        queried: lasting(InstanceSchema, queried),
        suspension: stillnessOf(suspension),
        customStatus: lasting(GetCustomStatusResponseSchema, customStatus),
        revisions: lasting(ListCustomStatusRevisionsResponseSchema, revisions),
        history: history.flatMap(({ events }) => events.map(({ eventType }) => eventType.case)),
      };
      return [instanceId, facts] as const;
    }),
  );
  const { schemas } = await v1.listCustomStatusSchemas({}, options);
  const contracts = await Promise.all(
    schemas.map(({ name }) => v1.getCustomStatusSchema({ name }, options)),
  );
  return {
    hub: lasting(GetTaskHubResponseSchema, await v1.getTaskHub({}, options)),
    suspensions: suspensions.map((suspension) => lasting(SuspensionSchema, suspension)),
    instances: Object.fromEntries(instances),
    schemas: contracts.map((schema) => lasting(GetCustomStatusSchemaResponseSchema, schema)),
  };
}

/** What is held and what waits for it, whether a worker had it before the kill or not. */
function stillnessOf(answer: GetSuspensionResponse) {
  const { instance, inFlight, activitiesHeldBack, turnHeldBack, bufferedEvents } = answer;
  if (instance === undefined) throw new Error("an answer has its instance");
  const holds = lasting(InstanceSchema, instance);
  if (instance.holds.every(isPassing)) return { holds };
  const turns = inFlight.filter(({ kind }) => kind === WorkKind.TURN).length;
  return {
    holds,
    activities: activitiesHeldBack + inFlight.length - turns,
    turns: instance.instanceId === TICKING ? "sooner or later" : Number(turnHeldBack) + turns,
    bufferedEvents: bufferedEvents && lasting(BufferedEventsSchema, bufferedEvents),
  };
}

/** A message without what time alone changes, and what belongs to one life of the process. */
export function lasting<Schema extends DescMessage>(
  schema: Schema,
  message: MessageShape<Schema>,
): unknown {
  return withoutPassing(toJson(schema, message));
}

const passing = new Set([
  "activitiesHeldBack",
  "age",
  "awaitingResume",
  "bufferedEvents",
  "bufferedBytes",
  "inFlight",
  "inFlightCount",
  "instancesHeld",
  "instancesHeldBack",
  "letThrough",
  "overdue",
  "quiescent",
  "serverTime",
  "uptime",
  "workers",
]);

/** Who a paced release has let through is forgotten by a crash, and another one may be the canary. */
function isPassing(hold: { readonly pacedRelease?: unknown }): boolean {
  return hold.pacedRelease !== undefined;
}

function withoutPassing(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPassing);
  if (typeof value !== "object" || value === null) return value;
  const ticks = "instanceId" in value && value.instanceId === TICKING;
  const kept = "holds" in value && Array.isArray(value.holds) ? value.holds : [];
  const isHeld = kept.some((hold) => !isPassing(hold));
  const lastingFields = Object.entries(value).filter(([key]) => {
    if (key === "holds" || key === "heldSince") return isHeld;
    return !passing.has(key) && !(ticks && key === "updatedAt");
  });
  return Object.fromEntries(
    lastingFields.map(([key, field]) => {
      const parts = key === "holds" ? kept.filter((hold) => !isPassing(hold)) : field;
      return [key, withoutPassing(parts)];
    }),
  );
}

async function allPages<T>(
  page: (token: string) => Promise<{ readonly items: readonly T[]; readonly next: string }>,
): Promise<T[]> {
  const all: T[] = [];
  let token = "";
  // Ends with the page that has no next one.
  do {
    const { items, next } = await page(token);
    all.push(...items);
    token = next;
  } while (token !== "");
  return all;
}
