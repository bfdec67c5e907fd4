import { expect, test } from "vitest";
import { HubError } from "../../sidecar/foundation/errors.ts";
import { jsonLog, type LogLevel } from "../../sidecar/foundation/log.ts";

function recordingLog(level: LogLevel) {
  const lines: string[] = [];
  const log = jsonLog(level, { write: (line) => lines.push(line) });
  return { log, lines };
}

test("an event is one line of JSON: level, time, event, then its fields", () => {
  const { log, lines } = recordingLog("info");
  log.info("turn.committed", { instanceId: "a\nb", events: 3 });
  expect(lines).toEqual([
    expect.stringMatching(/^\{"level":"info","time":"[^"]+Z","event":.*\}\n$/),
  ]);
  expect(JSON.parse(lines.join(""))).toEqual({
    level: "info",
    time: expect.any(String),
    event: "turn.committed",
    instanceId: "a\nb",
    events: 3,
  });
});

test("an error is written with its type, its message, its stack and its causes", () => {
  const { log, lines } = recordingLog("info");
  const cause = new Error("disk full");
  log.error("store.failed", { error: new HubError("store-distrusted", "lost", { cause }) });
  expect(JSON.parse(lines.join(""))).toEqual({
    level: "error",
    time: expect.any(String),
    event: "store.failed",
    error: expect.objectContaining({
      type: "HubError",
      code: "store-distrusted",
      message: "lost: disk full",
      stack: expect.stringMatching(/HubError: lost.*log\.test\.ts.*caused by: Error: disk full/s),
    }),
  });
});

test("events below the level are not written", () => {
  const { log, lines } = recordingLog("warn");
  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");
  expect(lines.map((line) => JSON.parse(line).event)).toEqual(["c", "d"]);
});
