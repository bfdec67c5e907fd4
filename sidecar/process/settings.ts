/** Every setting of the sidecar: its flag, its variable, its default, and what it may be. */
import { LIMITS } from "../foundation/limits.ts";
import { LOG_LEVELS } from "../foundation/log.ts";
import { ENTITY_BATCH_FORMS } from "../wire/entity-work-item.ts";
import { parseAddress, parseListenTarget, showAddress } from "./addresses.ts";
import { EXIT, ExitError } from "./exit-codes.ts";
import { oneOf, parseAges, parseBytes, parseCount, parseDurationOrOff } from "./setting-values.ts";

export const SUSPENSION_MAX_ACTIONS = ["resume", "terminate", "keep"] as const;

export const CUSTOM_STATUS_OVERFLOWS = ["fail", "drop"] as const;

/** One setting, as flags, variables and `--help` know it. Its default is written like a value. */
export interface Setting<T> {
  readonly flag: string;
  readonly argument: string;
  readonly variable: string;
  readonly fallback: string;
  readonly help: string;
  /** The flag may be given more than once. */
  readonly repeatable: boolean;
  /** @throws ExitError 64 for text that is none of its values */
  readonly parse: (text: string) => T;
}

/** A count, or undefined for `off`. */
function parseLosses(text: string): number | undefined {
  return text === "off" ? undefined : parseCount(text, 1, LIMITS.deliveriesCountedMax);
}

function setting<T>(definition: Setting<T>): Setting<T> {
  return definition;
}

export const SETTINGS = {
  listen: setting({
    flag: "--listen",
    argument: "<address>",
    variable: "TASKHUB_LISTEN",
    fallback: "localhost:4001",
    help:
      "where to accept connections: PORT, HOST:PORT or [IPV6]:PORT, loopback only; " +
      "PORT and localhost:PORT mean 127.0.0.1 and ::1, port 0 takes a free one; " +
      "repeatable, or separated by commas",
    repeatable: true,
    parse: (text) => text.split(",").map((part) => parseListenTarget(part.trim())),
  }),
  store: setting({
    flag: "--store",
    argument: "<kind>",
    variable: "TASKHUB_STORE",
    fallback: "level",
    help: "where state is kept: level (in the data directory) or memory (lost at the end)",
    repeatable: false,
    parse: (text) => oneOf(["level", "memory"] as const, text),
  }),
  data: setting({
    flag: "--data",
    argument: "<directory>",
    variable: "TASKHUB_DATA",
    fallback: ".taskhub",
    help: "data directory, created when it does not exist; the memory store has none",
    repeatable: false,
    parse: (text) => {
      if (text === "") throw new ExitError(EXIT.usage, "must not be empty");
      return text;
    },
  }),
  logLevel: setting({
    flag: "--log-level",
    argument: "<level>",
    variable: "TASKHUB_LOG_LEVEL",
    fallback: "info",
    help: `the least severe events to log: ${LOG_LEVELS.join(", ")}`,
    repeatable: false,
    parse: (text) => oneOf(LOG_LEVELS, text),
  }),
  suspended: setting({
    flag: "--suspended",
    argument: "[true|false]",
    variable: "TASKHUB_SUSPENDED",
    fallback: "false",
    help: "place the hold boot on every task hub, so that nothing runs until it is released",
    repeatable: false,
    parse: (text) => oneOf(["true", "false"] as const, text) === "true",
  }),
  suspensionWarn: setting({
    flag: "--suspension-warn",
    argument: "<duration>",
    variable: "TASKHUB_SUSPENSION_WARN",
    fallback: "1h",
    help: "log a warning about a hold that is older than this, or off",
    repeatable: false,
    parse: parseDurationOrOff,
  }),
  suspensionCritical: setting({
    flag: "--suspension-critical",
    argument: "<duration>",
    variable: "TASKHUB_SUSPENSION_CRITICAL",
    fallback: "24h",
    help: "log an error about a hold that is older than this, or off",
    repeatable: false,
    parse: parseDurationOrOff,
  }),
  suspensionMax: setting({
    flag: "--suspension-max",
    argument: "<duration>",
    variable: "TASKHUB_SUSPENSION_MAX",
    fallback: "off",
    help: "how long any hold may last, or off",
    repeatable: false,
    parse: parseDurationOrOff,
  }),
  suspensionMaxAction: setting({
    flag: "--suspension-max-action",
    argument: "<action>",
    variable: "TASKHUB_SUSPENSION_MAX_ACTION",
    fallback: "keep",
    help: `what happens to a hold that has lasted so long: ${SUSPENSION_MAX_ACTIONS.join(", ")}`,
    repeatable: false,
    parse: (text) => oneOf(SUSPENSION_MAX_ACTIONS, text),
  }),
  customStatusMaxBytes: setting({
    flag: "--custom-status-max-bytes",
    argument: "<bytes>",
    variable: "TASKHUB_CUSTOM_STATUS_MAX_BYTES",
    fallback: `${LIMITS.customStatusBytesMax}`,
    help: "largest custom status, in bytes of UTF-8 (64KiB is understood)",
    repeatable: false,
    parse: (text) => parseBytes(text, LIMITS.payloadBytesMax),
  }),
  customStatusOverflow: setting({
    flag: "--custom-status-overflow",
    argument: "<policy>",
    variable: "TASKHUB_CUSTOM_STATUS_OVERFLOW",
    fallback: "fail",
    help: "what a larger one does: fail the instance, or drop the update",
    repeatable: false,
    parse: (text) => oneOf(CUSTOM_STATUS_OVERFLOWS, text),
  }),
  customStatusRevisions: setting({
    flag: "--custom-status-revisions",
    argument: "<count>",
    variable: "TASKHUB_CUSTOM_STATUS_REVISIONS",
    fallback: `${LIMITS.customStatusRevisionsMax}`,
    help: "revisions of the custom status kept for each instance, the newest included",
    repeatable: false,
    parse: (text) => parseCount(text, 1, 1_000),
  }),
  customStatusRevisionBytes: setting({
    flag: "--custom-status-revision-bytes",
    argument: "<bytes>",
    variable: "TASKHUB_CUSTOM_STATUS_REVISION_BYTES",
    fallback: `${LIMITS.customStatusRevisionBytesMax}`,
    help: "bytes of these revisions together",
    repeatable: false,
    parse: (text) => parseBytes(text, 16 * 1024 * 1024),
  }),
  bufferedEventsMax: setting({
    flag: "--buffered-events-max",
    argument: "<count>",
    variable: "TASKHUB_BUFFERED_EVENTS_MAX",
    fallback: `${LIMITS.bufferedEventsMax}`,
    help: "external events that may wait for one instance before more are refused",
    repeatable: false,
    parse: (text) => parseCount(text, 1, 1_000_000),
  }),
  bufferedEventBytesMax: setting({
    flag: "--buffered-event-bytes-max",
    argument: "<bytes>",
    variable: "TASKHUB_BUFFERED_EVENT_BYTES_MAX",
    fallback: `${LIMITS.bufferedEventBytesMax}`,
    help: "bytes of these events together",
    repeatable: false,
    parse: (text) => parseBytes(text, 1024 * 1024 * 1024),
  }),
  turnLossesMax: setting({
    flag: "--turn-losses-max",
    argument: "<count>",
    variable: "TASKHUB_TURN_LOSSES_MAX",
    fallback: "off",
    help: "how often workers may lose the same turn before its instance is quarantined, or off",
    repeatable: false,
    parse: parseLosses,
  }),
  activityLossesMax: setting({
    flag: "--activity-losses-max",
    argument: "<count>",
    variable: "TASKHUB_ACTIVITY_LOSSES_MAX",
    fallback: "off",
    help: "how often workers may lose the same activity before it fails, or off",
    repeatable: false,
    parse: parseLosses,
  }),
  diskReserve: setting({
    flag: "--disk-reserve",
    argument: "<bytes>",
    variable: "TASKHUB_DISK_RESERVE",
    fallback: `${64 * 1024 * 1024}`,
    help:
      "size of a file that is given up when the disk is full, so that work can finish; " +
      "at most half of the disk, 0 for none (64MiB is understood)",
    repeatable: false,
    parse: (text) => (text === "0" ? 0 : parseBytes(text, 1024 * 1024 * 1024)),
  }),
  retention: setting({
    flag: "--retention",
    argument: "<ages>",
    variable: "TASKHUB_RETENTION",
    fallback: "off",
    help:
      "purge instances that ended longer ago than this: completed=30d,failed=90d,terminated=7d," +
      "canceled=7d, or some of them; the others are kept for ever; or off",
    repeatable: false,
    parse: parseAges,
  }),
  retentionLowSpace: setting({
    flag: "--retention-low-space",
    argument: "<ages>",
    variable: "TASKHUB_RETENTION_LOW_SPACE",
    fallback: "off",
    help: "shorter ages, written likewise, that hold while the disk is nearly full; or off",
    repeatable: false,
    parse: parseAges,
  }),
  loopWatchdog: setting({
    flag: "--loop-watchdog",
    argument: "<duration>",
    variable: "TASKHUB_LOOP_WATCHDOG",
    fallback: "30s",
    help: "end the process when its event loop is blocked for so long, or off",
    repeatable: false,
    parse: parseDurationOrOff,
  }),
  acceptDroppedTail: setting({
    flag: "--accept-dropped-tail",
    argument: "<figure>",
    variable: "TASKHUB_ACCEPT_DROPPED_TAIL",
    fallback: "off",
    help:
      "give up the end of the data, which was damaged: the bytes or commit groups that the refusal " +
      "to serve has named; anything else that is missing is refused all the same",
    repeatable: false,
    parse: (text) => (text === "off" ? undefined : parseCount(text, 1, Number.MAX_SAFE_INTEGER)),
  }),
  keepFormer: setting({
    flag: "--keep-former",
    argument: "[true|false]",
    variable: "TASKHUB_KEEP_FORMER",
    fallback: "true",
    help: "before a data directory is brought up to date, keep what it was in it, for going back",
    repeatable: false,
    parse: (text) => oneOf(["true", "false"] as const, text) === "true",
  }),
  earlyTurns: setting({
    flag: "--early-turns",
    argument: "[true|false]",
    variable: "TASKHUB_EARLY_TURNS",
    fallback: "false",
    help: "hand turns out while the events that woke them are still being written",
    repeatable: false,
    parse: (text) => oneOf(["true", "false"] as const, text) === "true",
  }),
  entityBatches: setting({
    flag: "--entity-batches",
    argument: "<form>",
    variable: "TASKHUB_ENTITY_BATCHES",
    fallback: "v2",
    help: "how operations of entities are sent: v2, or v1 for workers of before 2025",
    repeatable: false,
    parse: (text) => oneOf(ENTITY_BATCH_FORMS, text),
  }),
  address: setting({
    flag: "--address",
    argument: "<address>",
    variable: "TASKHUB_ADDRESS",
    fallback: "the first of TASKHUB_LISTEN",
    help: "the sidecar to ask: PORT or HOST:PORT",
    repeatable: false,
    parse: (text) => {
      const { host = "localhost", port } = parseAddress(text);
      return showAddress({ host, port });
    },
  }),
  taskhub: setting({
    flag: "--taskhub",
    argument: "<name>",
    variable: "TASKHUB_TASKHUB",
    fallback: "default",
    help: "the task hub",
    repeatable: false,
    parse: (text) => {
      // What a metadata value cannot carry would fail later, in words that nobody understands.
      if (/^[\x20-\x7e]+$/.test(text)) return text;
      throw new ExitError(EXIT.usage, "must be printable ASCII, and not empty");
    },
  }),
} as const;

export type SettingName = keyof typeof SETTINGS;
