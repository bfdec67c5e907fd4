import { toJson } from "@bufbuild/protobuf";
import {
  type AcceptedWork,
  type Worker,
  WorkerSchema,
} from "../../../wire/gen/taskhub/v1/insight_pb.ts";
import { WorkKind } from "../../../wire/gen/taskhub/v1/suspension_pb.ts";
import { EXIT } from "../../exit-codes.ts";
import type { ClientWork } from "./context.ts";
import { Listing } from "./output.ts";
import type { Column } from "./table.ts";
import { showTime } from "./times.ts";

/** The connected workers, what they accept and what they have. */
export const workers: ClientWork<object> = async (context) => {
  const answer = await context.v1.listWorkers({}, context.quick);
  const listing = new Listing(context, {
    json: (worker: Worker) => toJson(WorkerSchema, worker),
    columns: workerColumns,
  });
  for (const worker of answer.workers) listing.add(worker);
  listing.end();
  return EXIT.ok;
};

const workerColumns: readonly Column<Worker>[] = [
  { title: "WORKER", cell: ({ workerId, address }) => workerId || address, whole: true },
  { title: "CONNECTED", cell: ({ connectedAt }) => showTime(connectedAt), whole: true },
  { title: "STATE", cell: stateOf },
  { title: "TURNS", cell: (worker) => share(worker, WorkKind.TURN, worker.turnCredit) },
  {
    title: "ACTIVITIES",
    cell: (worker) => share(worker, WorkKind.ACTIVITY, worker.activityCredit),
  },
  { title: "ACCEPTS", cell: acceptedBy },
  { title: "SOFTWARE", cell: ({ userAgent }) => userAgent },
];

function stateOf({ detached, waiting }: Worker): string {
  if (detached) return "detached";
  return waiting ? "waiting" : "busy";
}

/** What it has, of what it may have. */
function share({ inFlight }: Worker, kind: WorkKind, credit: number): string {
  return `${inFlight.filter((work) => work.kind === kind).length}/${credit}`;
}

function acceptedBy({ filtered, orchestrations, activities, entities }: Worker): string {
  if (!filtered) return "everything";
  const named = [...orchestrations, ...activities].map(acceptedText);
  return [...named, ...entities.map((name) => `@${name}`)].join(", ");
}

function acceptedText({ name, versions }: AcceptedWork): string {
  if (versions.length === 0) return name;
  return `${name} (${versions.map((version) => version || "unversioned").join(", ")})`;
}
