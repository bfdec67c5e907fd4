import { describe, expect, test } from "vitest";
import {
  parseAddress,
  parseListenTarget,
  showListenTarget,
} from "../../sidecar/process/addresses.ts";
import { EXIT, ExitError } from "../../sidecar/process/exit-codes.ts";

describe("listening", () => {
  test.each([
    ["4001", { kind: "localhost", port: 4001 }, "localhost:4001"],
    ["0", { kind: "localhost", port: 0 }, "localhost:0"],
    ["localhost:65535", { kind: "localhost", port: 65_535 }, "localhost:65535"],
    ["127.0.0.1:80", { kind: "address", host: "127.0.0.1", port: 80 }, "127.0.0.1:80"],
    ["127.9.8.7:80", { kind: "address", host: "127.9.8.7", port: 80 }, "127.9.8.7:80"],
    ["[::1]:80", { kind: "address", host: "::1", port: 80 }, "[::1]:80"],
  ])("%s is a loopback address", (text, target, shown) => {
    expect(parseListenTarget(text)).toEqual(target);
    expect(showListenTarget(parseListenTarget(text))).toBe(shown);
  });

  test.each([
    "0.0.0.0:4001",
    "[::]:4001",
    "*:4001",
    ":4001",
    "192.168.1.1:4001",
    "[fe80::1%eth0]:4001",
    "[::ffff:10.0.0.1]:4001",
    "sidecar.example:4001",
    "127.1:4001",
    "localhost.:4001",
    "[]:4001",
  ])("%s is refused: others may be able to connect", (text) => {
    expect(() => parseListenTarget(text)).toThrow(
      new ExitError(
        EXIT.config,
        `${JSON.stringify(text)} is not a loopback address, and there is no authentication yet: ` +
          "use localhost:4001 and run the sidecar in the network namespace of the application",
      ),
    );
  });
});

test.each([
  "",
  "x",
  "65536",
  "-1",
  "4001 ",
  "1e3",
  "::1",
  "::1:80",
  "[::1]",
  "[::1:80",
  "a:b:80",
  "a:",
])("%j is no address", (text) => {
  expect(() => parseAddress(text)).toThrow(
    new ExitError(
      EXIT.usage,
      `${JSON.stringify(text)} is not PORT, HOST:PORT or [IPV6]:PORT with a port up to 65535`,
    ),
  );
});
