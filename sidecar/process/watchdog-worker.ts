/**
 * The thread that watches whether the event loop of the process still turns. When it stands still
 * for too long it ends the process: leases are lost by then, clients wait in vain, and a supervisor
 * can start another one.
 */
import { writeSync } from "node:fs";
import { Session } from "node:inspector";
import { workerData } from "node:worker_threads";
import { BEAT, DEBUGGED, type WatchdogData } from "./watchdog-data.ts";

const { shared, blockedMs, exitCode } = workerData as WatchdogData;
const beats = new Int32Array(shared);

const tickMs = Math.min(1_000, Math.max(10, blockedMs / 10));

/** A thread that is blocked outside of JavaScript does not listen: it is killed. */
const lastResortMs = 5_000;

let lastBeat = Atomics.load(beats, BEAT);
let silentMs = 0;

const timer = setInterval(() => {
  const beat = Atomics.load(beats, BEAT);
  // Ticks are counted, not time: when the whole process stood still, nothing was blocked.
  const isSilent = beat === lastBeat && Atomics.load(beats, DEBUGGED) === 0;
  silentMs = isSilent ? silentMs + tickMs : 0;
  lastBeat = beat;
  if (silentMs < blockedMs) return;
  clearInterval(timer);
  endProcess();
}, tickMs);

function endProcess(): void {
  const seconds = Math.round(silentMs / 100) / 10;
  writeSync(2, `taskhub: the event loop was blocked for ${seconds} seconds\n`);
  setTimeout(() => process.kill(process.pid, "SIGKILL"), lastResortMs);
  // `process.exit` would only end this thread. A debugger can stop the other one in the middle of a
  // loop, and make it say its last word.
  const session = new Session();
  session.connectToMainThread();
  session.on("Debugger.paused", ({ params }) => {
    const { callFrameId } = params.callFrames[0] ?? { callFrameId: "" };
    const expression = `process.reallyExit(${exitCode})`;
    session.post("Debugger.evaluateOnCallFrame", { callFrameId, expression });
  });
  session.post("Debugger.enable");
  session.post("Debugger.pause");
}
