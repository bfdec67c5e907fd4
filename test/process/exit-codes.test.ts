import { expect, test } from "vitest";
import { AssertionFailed } from "../../sidecar/foundation/assert.ts";
import { HubError } from "../../sidecar/foundation/errors.ts";
import { EXIT, ExitError, exitFor, listenError } from "../../sidecar/process/exit-codes.ts";

test.each([
  [new ExitError(EXIT.usage, "what?"), { code: 64, line: "what?" }],
  [new HubError("store-in-use", "taken"), { code: 75, line: "taken" }],
  [new HubError("store-refused", "not ours"), { code: 78, line: "not ours" }],
  [new HubError("store-distrusted", "torn"), { code: 74, line: "torn" }],
  [new HubError("unavailable", "lost"), { code: 70, line: "internal error: lost" }],
  [new AssertionFailed("never"), { code: 70, line: "internal error: never" }],
  [new ExitError(EXIT.notFound, "\u001b[2J"), { code: 2, line: "\\u001b[2J" }],
  [new Error("a\n  b\n"), { code: 70, line: "internal error: a b" }],
  ["text", { code: 70, line: "internal error: text" }],
])("%s has an exit code and one line", (error, exit) => {
  expect(exitFor(error)).toEqual(exit);
});

test.each([
  [
    "EADDRINUSE",
    { code: 69, line: "127.0.0.1:80 is in use: stop the other process or choose another --listen" },
  ],
  [
    "EACCES",
    {
      code: 78,
      line: "not permitted to listen on 127.0.0.1:80: choose a port above 1023 with --listen",
    },
  ],
  [
    "EADDRNOTAVAIL",
    { code: 78, line: "127.0.0.1:80 is not an address of this machine: choose another --listen" },
  ],
  ["EMFILE", { code: 70, line: "internal error: listen" }],
])("%s while listening has an exit code and one line", (code, exit) => {
  const error = Object.assign(new Error("listen"), { code });
  expect(exitFor(listenError("127.0.0.1:80", error))).toEqual(exit);
});
