/**
 * Ports for processes that come back on the one they had. One that the system has chosen would be
 * chosen for somebody else while such a process is down, and its clients would be answered by a
 * stranger.
 */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/** Below those that systems choose from when a program asks for any port. */
const from = 20_000;
const to = 30_000;

/** A port of 127.0.0.1 that is free, and that nobody gets who asks for any. */
export async function steadyPort(): Promise<number> {
  // Ends unless ten thousand programs listen.
  for (;;) {
    const port = randomInt(from, to);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
