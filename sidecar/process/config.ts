/**
 * Every setting, from flags and environment to frozen objects. Nothing else may read the
 * environment. A flag wins over its variable, a variable over the default.
 */
import { resolve } from "node:path";
import { assert } from "../foundation/assert.ts";
import { LOG_LEVELS, type LogLevel } from "../foundation/log.ts";
import {
  type ListenTarget,
  parseAddress,
  parseListenTarget,
  showAddress,
  showListenTarget,
} from "./addresses.ts";
import { EXIT, type ExitCode, ExitError } from "./exit-codes.ts";

/** What `taskhub serve` runs on. */
export interface ServeConfig {
  /** At least one. */
  readonly listen: readonly ListenTarget[];
  readonly store: StoreConfig;
  readonly logLevel: LogLevel;
}

export type StoreConfig =
  /** The directory is absolute. */
  { readonly kind: "level"; readonly directory: string } | { readonly kind: "memory" };

/** What `taskhub healthcheck` asks. */
export interface HealthcheckConfig {
  /** `host:port`. */
  readonly address: string;
}

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
} as const;

export type SettingName = keyof typeof SETTINGS;

/** What was given on the command line. A repeated flag is joined with commas. */
export type Flags = Readonly<Partial<Record<SettingName, string>>>;

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
  const store: StoreConfig = kind === "level" ? { kind: "level", directory } : { kind: "memory" };
  return Object.freeze({
    listen: Object.freeze(read("listen", sources)),
    store: Object.freeze(store),
    logLevel: read("logLevel", sources),
  });
}

/** @throws ExitError as `parseServeConfig` */
export function parseHealthcheckConfig(sources: ConfigSources): HealthcheckConfig {
  const { flags, environment } = sources;
  if (flags.address !== undefined || environment[SETTINGS.address.variable] !== undefined) {
    return Object.freeze({ address: read("address", sources) });
  }
  const [first] = read("listen", sources);
  assert(first !== undefined, "text that was split has a first part");
  return Object.freeze({ address: showListenTarget(first) });
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

function oneOf<Value extends string>(values: readonly Value[], text: string): Value {
  const value = values.find((candidate) => candidate === text);
  if (value !== undefined) return value;
  throw new ExitError(EXIT.usage, `${JSON.stringify(text)} is not one of: ${values.join(", ")}`);
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
