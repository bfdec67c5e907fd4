/** Structured logs: events with fields, never sentences, and never inputs, outputs or tokens. */
import pino from "pino";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * Plain values. Under the key `error` an `Error` is written with its type, message, stack and
 * causes.
 */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * `log.info("sidecar.started", { addresses })`. Names are `thing.happened`. What happens once per
 * call or per turn is `debug` at most: a line costs as much as half a turn.
 */
export type Log = Readonly<Record<LogLevel, (event: string, fields?: LogFields) => void>>;

/** Where lines go. Each ends with a newline. */
export interface LogDestination {
  write(line: string): void;
}

/** One JSON object a line: `level`, `time`, `event`, then the fields. */
export function jsonLog(level: LogLevel, destination: LogDestination = standardOutput()): Log {
  const logger = pino(
    {
      level,
      base: null,
      serializers: { error: pino.stdSerializers.err },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  const writer = (writtenLevel: LogLevel) => (event: string, fields?: LogFields) =>
    logger[writtenLevel]({ event, ...fields });
  return {
    debug: writer("debug"),
    info: writer("info"),
    warn: writer("warn"),
    error: writer("error"),
  };
}

/** For tests and for short commands. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Synchronous, so that the last line before the process ends is written: the most important one.
 */
function standardOutput(): LogDestination {
  const destination = pino.destination({ dest: 1, sync: true });
  // Work goes on when nobody can read about it: a full disk or a closed pipe behind the log ends
  // nothing.
  destination.on("error", () => {});
  return destination;
}
