/** A whole task hub: what is going on, and its maintenance windows. */
import { create, type JsonObject, toJson } from "@bufbuild/protobuf";
import {
  type GetTaskHubResponse,
  GetTaskHubResponseSchema,
  type HubHoldState,
} from "../../../wire/gen/taskhub/v1/insight_pb.ts";
import {
  ResumeTaskHubResponseSchema,
  type SuspendTaskHubRequest,
  SuspendTaskHubRequestSchema,
  SuspendTaskHubResponseSchema,
} from "../../../wire/gen/taskhub/v1/suspension_pb.ts";
import { present } from "../../../wire/history-event.ts";
import { EXIT, ExitError } from "../../exit-codes.ts";
import { escapeControls } from "../../safe-text.ts";
import type { ClientContext, ClientWork } from "./context.ts";
import { parseTags } from "./filter.ts";
import { type HoldFlags, holdFields, type PaceFlags, parsePace } from "./hold-flags.ts";
import { holdName, holdSentence, selectorWords } from "./instance-columns.ts";
import { requestedBy } from "./operands.ts";
import { outputStyle, printDocument } from "./output.ts";
import { quietExitCode, quietOutcome } from "./suspend.ts";
import { type Column, fieldLines, TableWriter } from "./table.ts";
import { parseTimeAhead, showDuration, showTime } from "./times.ts";
import { plural } from "./words.ts";

export interface HubSuspendFlags extends HoldFlags {
  readonly selectName?: readonly string[];
  readonly selectPrefix?: string;
  readonly selectTag?: readonly string[];
  readonly selectVersion?: readonly string[];
  readonly starts?: string;
  readonly refuseStarts?: boolean;
  readonly includeEntities?: boolean;
  readonly wait?: boolean;
}

export interface HubResumeFlags extends PaceFlags {
  readonly allHolds?: boolean;
  readonly by?: string;
}

const usualWindow = "maintenance";

export const hubInfo: ClientWork<object> = async (context) => {
  const answer = await context.v1.getTaskHub({}, context.quick);
  printDocument(context, toJson(GetTaskHubResponseSchema, answer), () => hubText(context, answer));
  return EXIT.ok;
};

function hubText(context: ClientContext, hub: GetTaskHubResponse): string {
  const style = outputStyle(context);
  const events = hub.bufferedEvents?.count ?? 0;
  const fields = fieldLines(
    [
      ["task hub", hub.name || context.config.taskHub],
      ["exists", hub.exists ? "" : "no: the first write creates it"],
      ["created", showTime(hub.createdAt)],
      ["workers", hub.exists ? `${hub.workers}` : ""],
      ["in flight", hub.exists ? plural(hub.inFlightCount, "work item") : ""],
      ["held back", heldBackText(hub)],
      ["waiting", events === 0 ? "" : plural(events, "external event")],
      ["stopped", hub.quiescent ? "yes: nothing of it is with a worker" : ""],
      ["server", hub.serverVersion],
      ["uptime", showDuration(hub.uptime)],
      ["server time", showTime(hub.serverTime)],
    ],
    style,
  );
  const holds = new TableWriter(hubHoldColumns).lines(hub.holds, style);
  return holds === "" ? fields : `${fields}\n${holds}`;
}

function heldBackText({ instancesHeldBack, activitiesHeldBack }: GetTaskHubResponse): string {
  if (instancesHeldBack === 0n) return "";
  const instances = plural(Number(instancesHeldBack), "instance");
  return `${instances}, ${activitiesHeldBack} of their activities`;
}

const hubHoldColumns: readonly Column<HubHoldState>[] = [
  { title: "HOLD", cell: ({ hold }) => (hold === undefined ? "" : holdName(hold)), whole: true },
  {
    title: "ON",
    cell: ({ hold }) => hold?.originInstanceId || selectorWords(hold?.window?.selector),
    whole: true,
  },
  { title: "STATE", cell: stateOf },
  { title: "IN FLIGHT", cell: ({ inFlight }) => `${inFlight}` },
  { title: "HELD BACK", cell: ({ instancesHeldBack }) => `${instancesHeldBack}` },
  { title: "EXPIRES", cell: ({ hold }) => showTime(hold?.expiresAt) },
  { title: "BY", cell: ({ hold }) => hold?.requestedBy ?? "" },
  { title: "REASON", cell: ({ hold }) => hold?.reason ?? "" },
];

function stateOf({ hold, active, quiescent }: HubHoldState): string {
  const release = hold?.pacedRelease;
  if (release?.awaitingResume) return `${release.letThrough} through, awaits a second resume`;
  if (release !== undefined) return `${release.letThrough} through`;
  if (!active) return `starts ${showTime(hold?.window?.startsAt)}`;
  return quiescent ? "stopped" : "stopping";
}

export const hubSuspend: ClientWork<HubSuspendFlags> = async (context, flags, operands) => {
  const { v1, quick, patient } = context;
  const request = hubSuspendRequest(operands[0] ?? usualWindow, flags, context.nowMs());
  const answer = await v1.suspendTaskHub(request, quick);
  const json = toJson(SuspendTaskHubResponseSchema, answer) as JsonObject;
  const done = answer.placed ? "placed" : "unchanged, there is already";
  const hold = answer.hold === undefined ? "" : holdSentence(answer.hold);
  const covers = selectorWords(answer.hold?.window?.selector);
  const text = `${done} ${escapeControls(hold)}; covers ${escapeControls(covers)}\n`;
  if (!flags.wait) {
    printDocument(context, json, () => text);
    return EXIT.ok;
  }
  if (context.config.output === "table") context.surroundings.out(text);
  const target = { case: "window", value: request.name } as const;
  const outcome = quietOutcome(await v1.waitForQuiescence({ target }, patient));
  const words = `${outcome.result}${outcome.failed ? `: ${outcome.note}` : ""}\n`;
  printDocument(context, { ...json, ...outcome.json }, () => words);
  return quietExitCode(outcome);
};

/** @throws ExitError 64 */
export function hubSuspendRequest(
  name: string,
  flags: HubSuspendFlags,
  nowMs: number,
): SuspendTaskHubRequest {
  const { starts, refuseStarts = false, includeEntities = false } = flags;
  return create(SuspendTaskHubRequestSchema, {
    name,
    selector: {
      names: [...(flags.selectName ?? [])],
      instanceIdPrefix: flags.selectPrefix ?? "",
      tags: parseTags(flags.selectTag, "--select-tag"),
      versions: [...(flags.selectVersion ?? [])],
    },
    acceptNewInstances: !refuseStarts,
    includeEntities,
    ...holdFields(flags, false),
    ...(starts === undefined ? {} : { startsAt: parseTimeAhead(starts, "--starts", nowMs) }),
  });
}

export const hubResume: ClientWork<HubResumeFlags> = async (context, flags, operands) => {
  const { allHolds = false } = flags;
  const [name] = operands;
  if (allHolds && name !== undefined) {
    throw new ExitError(EXIT.usage, "a window and --all-holds do not go together");
  }
  const answer = await context.v1.resumeTaskHub(
    {
      ...(allHolds ? { allHolds } : { name: name ?? usualWindow }),
      requestedBy: requestedBy(flags.by),
      ...present("pace", parsePace(flags)),
    },
    context.quick,
  );
  const { released, remaining } = answer;
  printDocument(context, toJson(ResumeTaskHubResponseSchema, answer), () => {
    const lines = [
      ...released.map((hold) => `released ${holdName(hold)}`),
      ...remaining.map((hold) => `remains  ${holdSentence(hold)}`),
    ];
    return `${(lines.length === 0 ? ["nothing to release"] : lines).map(escapeControls).join("\n")}\n`;
  });
  return EXIT.ok;
};
