/** A watch that outlives its connection: behind a break it goes on from its resume token. */
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { present } from "../../../wire/history-event.ts";
import { isConnectionLost } from "./connection.ts";
import type { ClientContext } from "./context.ts";

const pauseMs = { first: 250, longest: 5_000 };

/**
 * Gives what the watch gives, until it ends by itself, the command is interrupted, or its time is up.
 * A sidecar that was never reached is a failure at once.
 *
 * @throws ConnectError the first connection failed, or the call was refused
 */
export async function* lastingWatch<Answer extends { readonly resumeToken: string }>(
  { surroundings, patient }: ClientContext,
  open: (resumeToken: string) => AsyncIterable<Answer>,
): AsyncGenerator<Answer> {
  let resumeToken: string | undefined;
  let pause = pauseMs.first;
  for (;;) {
    try {
      for await (const answer of open(resumeToken ?? "")) {
        resumeToken = answer.resumeToken || (resumeToken ?? "");
        pause = pauseMs.first;
        yield answer;
      }
      return;
    } catch (error) {
      if (resumeToken === undefined || patient.signal?.aborted || !isBreak(error)) throw error;
    }
    // Said once for each break, however long it lasts.
    if (pause === pauseMs.first) {
      surroundings.err("taskhub: the connection is lost; connecting again\n");
    }
    await sleep(pause, undefined, present("signal", patient.signal));
    pause = Math.min(2 * pause, pauseMs.longest);
  }
}

/** The connection has broken, or the sidecar is shutting down or starting. */
function isBreak(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  return error.code === Code.Unavailable || isConnectionLost(error);
}
