/** A process whose event loop is blocked, in the way that its argument says. */
import { guardLoop } from "../../sidecar/process/watchdog.ts";

const [, , how = "", blockedMs = ""] = process.argv;

using _guard = guardLoop(Number(blockedMs));
// The thread must be there before anything is blocked.
await new Promise((resolve) => setTimeout(resolve, 500));
switch (how) {
  case "loop":
    for (;;);
  case "wait":
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    break;
  case "busy": {
    // Blocked again and again, and never for long.
    const endMs = Date.now() + 3 * Number(blockedMs);
    while (Date.now() < endMs) {
      const untilMs = Date.now() + Number(blockedMs) / 4;
      while (Date.now() < untilMs);
      await new Promise((resolve) => setTimeout(resolve, Number(blockedMs) / 10));
    }
    break;
  }
  default:
}
