/**
 * Every setting, from flags and environment to frozen objects. Nothing else may read the
 * environment. A flag wins over its variable, a variable over the default.
 */
import { resolve } from "node:path";
import { assert } from "../foundation/assert.ts";
import type { LogLevel } from "../foundation/log.ts";
import type { EntityBatchForm } from "../wire/entity-work-item.ts";
import { type ListenTarget, showListenTarget } from "./addresses.ts";
import { EXIT, type ExitCode, ExitError } from "./exit-codes.ts";
import { oneOf, type parseAges, parseDurationMs } from "./setting-values.ts";
import {
  type CUSTOM_STATUS_OVERFLOWS,
  SETTINGS,
  type Setting,
  type SettingName,
  type SUSPENSION_MAX_ACTIONS,
} from "./settings.ts";

/** What `taskhub serve` runs on. */
export interface ServeConfig {
  /** At least one. */
  readonly listen: readonly ListenTarget[];
  readonly store: StoreConfig;
  readonly logLevel: LogLevel;
  /** Every hub gets the hold `boot`, also those that are created while this process runs. */
  readonly suspended: boolean;
  /** Turns are handed out while the events that woke them are still being written. */
  readonly earlyTurns: boolean;
  /** How batches of entity operations are encoded. */
  readonly entityBatches: EntityBatchForm;
  readonly suspension: SuspensionConfig;
  readonly customStatus: CustomStatusConfig;
  readonly buffered: BufferedConfig;
  readonly deliveries: DeliveriesConfig;
  readonly retention: RetentionConfig;
  /** How long the event loop may be blocked before the process is ended; undefined: for ever. */
  readonly loopWatchdogMs: number | undefined;
}

/** What happens to holds that last. All times are counted from when a hold was placed. */
export interface SuspensionConfig {
  /** When a hold is logged as a warning; undefined: never. */
  readonly warnMs: number | undefined;
  /** When it is logged as an error; undefined: never. */
  readonly criticalMs: number | undefined;
  /** How long a hold may last at most; undefined: for ever. */
  readonly maxMs: number | undefined;
  /** What happens then. */
  readonly maxAction: SuspensionMaxAction;
}

export type SuspensionMaxAction = (typeof SUSPENSION_MAX_ACTIONS)[number];

/** Bounds of the custom status of one instance. */
export interface CustomStatusConfig {
  /** Bytes of UTF-8 of one text. */
  readonly maxBytes: number;
  /** What happens to a larger one: the instance fails, or the update is dropped. */
  readonly overflow: CustomStatusOverflow;
  /** Revisions that are kept, the newest included. */
  readonly revisions: number;
  /** Their bytes together. The newest is kept always. */
  readonly revisionBytes: number;
}

export type CustomStatusOverflow = (typeof CUSTOM_STATUS_OVERFLOWS)[number];

/** External events that may wait in one inbox before RaiseEvent is refused. */
export interface BufferedConfig {
  readonly eventsMax: number;
  readonly eventBytesMax: number;
}

/** Milliseconds for which finished instances are kept, by how they ended; not named: for ever. */
export interface RetentionConfig {
  readonly ages: ReturnType<typeof parseAges>;
  /** What holds besides while the disk is nearly full. */
  readonly lowSpaceAges: ReturnType<typeof parseAges>;
}

/** How often workers may lose the same work; undefined: for ever. */
export interface DeliveriesConfig {
  readonly turnLossesMax: number | undefined;
  readonly activityLossesMax: number | undefined;
}

export type StoreConfig =
  /** The directory is absolute. */
  | {
      readonly kind: "level";
      readonly directory: string;
      readonly reserveBytes: number;
      /** What is given up of the data; undefined: nothing. */
      readonly acceptedLoss?: number | undefined;
      readonly keepsFormer?: boolean;
    }
  | { readonly kind: "memory" };

export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

export const OUTPUT_FORMATS = ["table", "json", "jsonl"] as const;

/** What the commands of clients and administrators run on. */
export interface ClientConfig {
  /** `host:port`. */
  readonly address: string;
  readonly taskHub: string;
  readonly output: OutputFormat;
  /** How long the whole command may take; undefined: as long as it takes. */
  readonly timeoutMs: number | undefined;
  /** Whether a terminal may be shown colours: see https://no-color.org. */
  readonly colours: boolean;
}

/** What `taskhub healthcheck` asks. */
export interface HealthcheckConfig {
  /** `host:port`. */
  readonly address: string;
}

/** What was given on the command line. A repeated flag is joined with commas. */
export type Flags = Readonly<Partial<Record<SettingName, string>>>;

/** What client commands take besides: how they answer has no place in an environment. */
export interface ClientFlags extends Flags {
  readonly format?: string;
  readonly timeout?: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything that a configuration is made from. */
export interface ConfigSources {
  readonly flags: Flags;
  readonly environment: Environment;
  /** What a relative data directory is relative to. */
  readonly workingDirectory: string;
}

/**
 * @throws ExitError 64 for a wrong flag; 78 for a wrong or unknown variable, or an address open to
 * others
 */
export function parseServeConfig(sources: ConfigSources): ServeConfig {
  refuseUnknownVariables(sources.environment);
  const directory = resolve(sources.workingDirectory, read("data", sources));
  const kind = read("store", sources);
  const reserveBytes = read("diskReserve", sources);
  const acceptedLoss = read("acceptDroppedTail", sources);
  const keepsFormer = read("keepFormer", sources);
  const store: StoreConfig =
    kind === "level" ? { kind, directory, reserveBytes, acceptedLoss, keepsFormer } : { kind };
  return Object.freeze({
    listen: Object.freeze(read("listen", sources)),
    store: Object.freeze(store),
    logLevel: read("logLevel", sources),
    suspended: read("suspended", sources),
    earlyTurns: read("earlyTurns", sources),
    entityBatches: read("entityBatches", sources),
    suspension: suspensionConfig(sources),
    customStatus: Object.freeze({
      maxBytes: read("customStatusMaxBytes", sources),
      overflow: read("customStatusOverflow", sources),
      revisions: read("customStatusRevisions", sources),
      revisionBytes: read("customStatusRevisionBytes", sources),
    }),
    buffered: Object.freeze({
      eventsMax: read("bufferedEventsMax", sources),
      eventBytesMax: read("bufferedEventBytesMax", sources),
    }),
    deliveries: Object.freeze({
      turnLossesMax: read("turnLossesMax", sources),
      activityLossesMax: read("activityLossesMax", sources),
    }),
    retention: Object.freeze({
      ages: Object.freeze(read("retention", sources)),
      lowSpaceAges: Object.freeze(read("retentionLowSpace", sources)),
    }),
    loopWatchdogMs: read("loopWatchdog", sources),
  });
}

function suspensionConfig(sources: ConfigSources): SuspensionConfig {
  const warnMs = read("suspensionWarn", sources);
  const criticalMs = read("suspensionCritical", sources);
  if (warnMs !== undefined && criticalMs !== undefined && criticalMs < warnMs) {
    const { suspensionWarn, suspensionCritical } = SETTINGS;
    throw new ExitError(
      EXIT.config,
      `${suspensionCritical.flag} must not be shorter than ${suspensionWarn.flag}`,
    );
  }
  return Object.freeze({
    warnMs,
    criticalMs,
    maxMs: read("suspensionMax", sources),
    maxAction: read("suspensionMaxAction", sources),
  });
}

/**
 * The data directory that `taskhub check` looks at.
 *
 * @throws ExitError as `parseServeConfig`
 */
export function parseDataDirectory(sources: ConfigSources): string {
  refuseUnknownVariables(sources.environment);
  return resolve(sources.workingDirectory, read("data", sources));
}

/** @throws ExitError as `parseServeConfig` */
export function parseHealthcheckConfig(sources: ConfigSources): HealthcheckConfig {
  return Object.freeze({ address: addressToAsk(sources) });
}

/** @throws ExitError as `parseServeConfig` */
export function parseClientConfig(
  flags: ClientFlags,
  environment: Environment,
  workingDirectory: string,
): ClientConfig {
  const sources = { flags, environment, workingDirectory };
  const { format = "table", timeout } = flags;
  return Object.freeze({
    address: addressToAsk(sources),
    taskHub: read("taskhub", sources),
    output: parsed(format, (text) => oneOf(OUTPUT_FORMATS, text), "-o", EXIT.usage),
    timeoutMs:
      timeout === undefined ? undefined : parsed(timeout, parseDurationMs, "--timeout", EXIT.usage),
    colours: (environment.NO_COLOR ?? "") === "",
  });
}

function addressToAsk(sources: ConfigSources): string {
  const { flags, environment } = sources;
  if (flags.address !== undefined || environment[SETTINGS.address.variable] !== undefined) {
    return read("address", sources);
  }
  const [first] = read("listen", sources);
  assert(first !== undefined, "text that was split has a first part");
  return showListenTarget(first);
}

type SettingValue<Name extends SettingName> = ReturnType<(typeof SETTINGS)[Name]["parse"]>;

function read<Name extends SettingName>(
  name: Name,
  { flags, environment }: ConfigSources,
): SettingValue<Name> {
  const { flag, variable, fallback, parse } = SETTINGS[name] as Setting<SettingValue<Name>>;
  const given = flags[name];
  if (given !== undefined) return parsed(given, parse, flag, EXIT.usage);
  const set = environment[variable];
  if (set !== undefined) return parsed(set, parse, variable, EXIT.config);
  return parse(fallback);
}

function parsed<T>(
  text: string,
  parse: (text: string) => T,
  source: string,
  malformed: ExitCode,
): T {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof ExitError)) throw error;
    const exitCode = error.exitCode === EXIT.usage ? malformed : error.exitCode;
    throw new ExitError(exitCode, `${source}: ${error.message}`, { cause: error });
  }
}

const knownVariables: ReadonlySet<string> = new Set(
  Object.values(SETTINGS).map(({ variable }) => variable),
);

/**
 * Kubernetes sets such variables in every container of a namespace that has a Service called
 * `taskhub…`.
 */
const serviceVariable =
  /^TASKHUB_(?:.*_)?(?:SERVICE_(?:HOST|PORT(?:_.+)?)|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_.+)?)?)$/;

/** A misspelt TASKHUB_DATA would otherwise put data where nobody looks for it. */
function refuseUnknownVariables(environment: Environment): void {
  for (const name of Object.keys(environment)) {
    if (!name.startsWith("TASKHUB_") || knownVariables.has(name)) continue;
    if (serviceVariable.test(name)) continue;
    throw new ExitError(
      EXIT.config,
      `unknown environment variable ${name}; known are ${[...knownVariables].join(", ")}`,
    );
  }
}
