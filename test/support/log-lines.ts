import type { Log, LogFields } from "../../sidecar/foundation/log.ts";

export interface Line {
  readonly level: keyof Log;
  readonly event: string;
  readonly fields: LogFields;
}

/** A log that keeps its lines. */
export function keptLog(): { readonly log: Log; readonly lines: Line[] } {
  const lines: Line[] = [];
  const writer =
    (level: keyof Log) =>
    (event: string, fields: LogFields = {}) =>
      lines.push({ level, event, fields });
  const log = {
    debug: writer("debug"),
    info: writer("info"),
    warn: writer("warn"),
    error: writer("error"),
  };
  return { log, lines };
}
