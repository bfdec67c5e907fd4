/** Watching: one instance until it ends, or a whole hub. */
import { toJson } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Instance, InstanceStatus } from "../../../wire/gen/taskhub/v1/instance_pb.ts";
import {
  type WatchInstanceResponse,
  WatchInstanceResponseSchema,
  type WatchInstancesResponse,
  WatchInstancesResponseSchema,
} from "../../../wire/gen/taskhub/v1/watch_pb.ts";
import { present } from "../../../wire/history-event.ts";
import { EXIT, type ExitCode, ExitError } from "../../exit-codes.ts";
import { escapeControls } from "../../safe-text.ts";
import type { ClientContext, ClientWork } from "./context.ts";
import { type FilterFlags, hasFilter, parseFilter } from "./filter.ts";
import { customStatusText, holdName } from "./instance-columns.ts";
import { lastingWatch } from "./lasting-watch.ts";
import { jsonText, outputStyle } from "./output.ts";
import { LiveLine, progressBar, progressOf } from "./progress.ts";
import { painted } from "./table.ts";
import { parseDuration, showDurationMs, showTime } from "./times.ts";
import { statusCell, statusWord } from "./words.ts";

export interface WatchFlags extends FilterFlags {
  readonly hold?: string;
  readonly wait?: boolean;
  readonly interval?: string;
}

export const watch: ClientWork<WatchFlags> = async (context, flags, operands) => {
  const [instanceId] = operands;
  const minInterval =
    flags.interval === undefined ? undefined : parseDuration(flags.interval, "--interval");
  if (instanceId === undefined) {
    if (flags.wait) throw new ExitError(EXIT.usage, "--wait needs an instance id");
    const filter = parseFilter(flags, flags.hold, context.nowMs());
    const request = { filter, ...present("minInterval", minInterval) };
    const changes = lastingWatch(context, (resumeToken) =>
      context.v1.watchInstances({ ...request, resumeToken }, context.patient),
    );
    return await printChanges(context, changes);
  }
  if (hasFilter(flags) || flags.hold !== undefined) {
    throw new ExitError(EXIT.usage, "an instance id and a filter do not go together");
  }
  const request = {
    instanceId,
    waitForCreation: flags.wait ?? false,
    ...present("minInterval", minInterval),
  };
  const answers = lastingWatch(context, (resumeToken) =>
    context.v1.watchInstance({ ...request, resumeToken }, context.patient),
  );
  const last = await printInstance(context, answers);
  return exitCodeOf(last);
};

/** 0 only for an instance that has completed, and is still there. */
function exitCodeOf(last: WatchInstanceResponse | undefined): ExitCode {
  return last?.instance?.status === InstanceStatus.COMPLETED ? EXIT.ok : EXIT.failure;
}

async function printInstance(
  context: ClientContext,
  answers: AsyncIterable<WatchInstanceResponse>,
): Promise<WatchInstanceResponse | undefined> {
  const { config, surroundings } = context;
  if (config.output === "table" && surroundings.terminal.isOutput) {
    return await showLive(context, answers);
  }
  let last: WatchInstanceResponse | undefined;
  for await (const answer of answers) {
    last = answer;
    const line =
      config.output === "table"
        ? changeLine(context, answer.instance, "removed")
        : jsonText(toJson(WatchInstanceResponseSchema, answer));
    surroundings.out(`${line}\n`);
  }
  return last;
}

/** How often the time that has passed is drawn again. */
const redrawMs = 1_000;

async function showLive(
  context: ClientContext,
  answers: AsyncIterable<WatchInstanceResponse>,
): Promise<WatchInstanceResponse | undefined> {
  const { out, terminal } = context.surroundings;
  const live = new LiveLine(out);
  let last: WatchInstanceResponse | undefined;
  const draw = () => {
    const text = last === undefined ? "waiting" : liveText(last.instance, context.nowMs());
    live.draw(text, terminal.columns());
  };
  const redraw = setInterval(draw, redrawMs);
  try {
    draw();
    for await (const answer of answers) {
      last = answer;
      draw();
    }
  } finally {
    clearInterval(redraw);
    live.keep();
  }
  return last;
}

/** Status, time, progress and holds of an instance, for one line that is drawn again. */
export function liveText(instance: Instance | undefined, nowMs: number): string {
  if (instance === undefined) return "removed";
  const { createdAt, completedAt, customStatus, holds } = instance;
  const { fraction, text } = progressOf(customStatus?.value);
  const until = completedAt === undefined ? nowMs : timestampMs(completedAt);
  const parts = [
    statusWord(instance.status),
    createdAt === undefined ? "" : showDurationMs(until - timestampMs(createdAt)),
    fraction === undefined ? "" : progressBar(fraction),
    text,
    holds.length === 0 ? "" : `held by ${holds.map(holdName).join(", ")}`,
  ];
  return parts.filter((part) => part !== "").join("  ");
}

async function printChanges(
  context: ClientContext,
  answers: AsyncIterable<WatchInstancesResponse>,
): Promise<ExitCode> {
  const { config, surroundings } = context;
  for await (const answer of answers) {
    const line =
      config.output === "table"
        ? hubLine(context, answer)
        : jsonText(toJson(WatchInstancesResponseSchema, answer));
    if (line !== undefined) surroundings.out(`${line}\n`);
  }
  // Such a watch has no end of its own.
  throw new ExitError(EXIT.unreachable, "the sidecar has ended the watch");
}

function hubLine(context: ClientContext, { event }: WatchInstancesResponse): string | undefined {
  const note = (text: string) => painted(escapeControls(text), "dim", outputStyle(context).colours);
  switch (event.case) {
    case "instance":
      return changeLine(context, event.value, event.value.instanceId);
    case "removedInstanceId":
      return note(`${event.value} removed`);
    case "reset":
      return undefined;
    case "live":
      return note("-- live: what follows are changes --");
    case "holds": {
      const names = event.value.holds.map(holdName);
      return note(`-- hub: ${names.length === 0 ? "no holds" : `held by ${names.join(", ")}`} --`);
    }
    default:
      return undefined;
  }
}

/** One line for one change. */
function changeLine(
  context: ClientContext,
  instance: Instance | undefined,
  otherwise: string,
): string {
  if (instance === undefined) return escapeControls(otherwise);
  const { colours } = outputStyle(context);
  const { customStatus, holds } = instance;
  const status = statusCell(instance.status);
  const revision = customStatus === undefined ? "" : `#${customStatus.revision}`;
  const parts = [
    showTime(instance.updatedAt),
    escapeControls(instance.instanceId),
    painted(status.text, status.paint, colours),
    revision,
    escapeControls(customStatusText(customStatus)),
    holds.length === 0 ? "" : escapeControls(`held by ${holds.map(holdName).join(", ")}`),
  ];
  return parts.filter((part) => part !== "").join("  ");
}
