/** What happens when the event loop is late, and when it stands still. */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { silentLog } from "../../sidecar/foundation/log.ts";
import { parseServeConfig } from "../../sidecar/process/config.ts";
import { EXIT } from "../../sidecar/process/exit-codes.ts";
import { lateness, Readiness } from "../../sidecar/process/readiness.ts";
import { LateLoop, LoopWatch } from "../../sidecar/process/watchdog.ts";
import { HealthStatuses } from "../../sidecar/rpc/health.ts";
import { run } from "../support/sidecar-process.ts";

const child = fileURLToPath(new URL("watchdog-child.ts", import.meta.url));

function blocked(how: string, blockedMs: number) {
  return run([process.execPath, child, how, String(blockedMs)]);
}

describe("a process whose event loop is blocked for too long", () => {
  it.each(["loop", "wait"])("ends with 70 and says why (%s)", async (how) => {
    const { end, stderr } = await blocked(how, 300);
    expect(end).toBe(EXIT.internal);
    expect(stderr).toMatch(/^taskhub: the event loop was blocked for [\d.]+ seconds\n/);
  });

  it("is left alone when it is only busy, and ends by itself though it is watched", async () => {
    expect(await blocked("busy", 600)).toEqual({ end: 0, stdout: "", stderr: "" });
  });
});

describe("a loop", () => {
  it("is late after two late stretches in a row, and in time after two that are not", () => {
    const loop = new LateLoop();
    const turns = [0.3, 0.1, 0.3, 0.3, 0.3, 0.1, 0.3, 0.2, 0.2, 0.1].map((p99) =>
      loop.add({ p99 }),
    );
    expect(turns.map((turned, index) => (turned ? index : -1)).filter((at) => at >= 0)).toEqual([
      3, 8,
    ]);
    expect(loop.isLate).toBe(false);
  });

  it("that is late makes the sidecar not ready, and nothing else", () => {
    const health = new HealthStatuses();
    health.set("liveness", "SERVING");
    const readiness = new Readiness(health, ["readiness"]);
    const { turned } = lateness(readiness, silentLog);
    const delay = { p50: 0, p99: 1, max: 1 };
    const shown = () => [health.status("liveness"), health.status("readiness")];
    expect(shown()).toEqual(["SERVING", "NOT_SERVING"]);
    turned(true, delay);
    readiness.set("recovering", false);
    expect(shown()).toEqual(["SERVING", "NOT_SERVING"]);
    turned(false, delay);
    expect(shown()).toEqual(["SERVING", "SERVING"]);
    turned(true, delay);
    expect(shown()).toEqual(["SERVING", "NOT_SERVING"]);
  });

  it("that stands still for a moment shows it in its figures", async () => {
    using watch = new LoopWatch({ turned: () => {} });
    const turn = () => new Promise((resolve) => setTimeout(resolve, 25));
    await turn();
    const untilMs = performance.now() + 150;
    while (performance.now() < untilMs);
    await turn();
    expect(watch.delay.max).toBeGreaterThan(0.1);
    expect(watch.delay.p50).toBeLessThanOrEqual(watch.delay.max);
  });
});

it("the watchdog is on unless it is switched off", () => {
  const configOf = (loopWatchdog?: string) =>
    parseServeConfig({
      flags: loopWatchdog === undefined ? {} : { loopWatchdog },
      environment: {},
      workingDirectory: "/",
    }).loopWatchdogMs;
  expect([configOf(), configOf("off"), configOf("1m")]).toEqual([30_000, undefined, 60_000]);
});
