import { jsonLog } from "../../foundation/log.ts";
import { startApp } from "../app.ts";
import type { ServeConfig } from "../config.ts";
import { EXIT, type ExitCode, exitFor } from "../exit-codes.ts";
import { exitOnCrash, untilStopped } from "../shutdown.ts";
import { guardLoop } from "../watchdog.ts";

/**
 * Serves until a signal asks to stop.
 *
 * @param err gets one line for people when something ends the process that nobody caught
 * @throws what made it end otherwise; see `exitFor`
 */
export async function serve(
  config: ServeConfig,
  { err }: { readonly err: (text: string) => void },
): Promise<ExitCode> {
  const log = jsonLog(config.logLevel);
  exitOnCrash(log, err);
  const { loopWatchdogMs } = config;
  using _guard = loopWatchdogMs === undefined ? undefined : guardLoop(loopWatchdogMs);
  try {
    await untilStopped(startApp(config, { log }), log);
    return EXIT.ok;
  } catch (error) {
    // The line on stderr says what to do; for these nobody knows without the details.
    const { code } = exitFor(error);
    if (code === EXIT.internal || code === EXIT.storeDistrusted) {
      log.error("sidecar.failed", { error });
    }
    throw error;
  }
}
