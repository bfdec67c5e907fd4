import { checkHealth } from "../../rpc/health-client.ts";
import type { HealthcheckConfig } from "../config.ts";
import { EXIT, type ExitCode, ExitError } from "../exit-codes.ts";
import { READINESS } from "../health-names.ts";

/**
 * Longer than any pause of a healthy sidecar, and well within the 30 s that Docker gives a health
 * check.
 */
const answerWithinMs = 5_000;

/**
 * Asks a sidecar whether it is ready, and prints what it says.
 *
 * @throws ExitError 1 when it does not answer
 */
export async function healthcheck(
  { address }: HealthcheckConfig,
  out: (text: string) => void,
): Promise<ExitCode> {
  const status = await statusOf(address);
  out(`${status}\n`);
  return status === "SERVING" ? EXIT.ok : EXIT.failure;
}

async function statusOf(address: string): Promise<string> {
  try {
    return await checkHealth(address, READINESS, new Date(Date.now() + answerWithinMs));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ExitError(EXIT.failure, `no answer from ${address}: ${reason}`, { cause });
  }
}
