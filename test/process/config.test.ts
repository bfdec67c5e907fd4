import { describe, expect, test } from "vitest";
import {
  type ConfigSources,
  type Environment,
  type Flags,
  parseHealthcheckConfig,
  parseServeConfig,
} from "../../sidecar/process/config.ts";
import { EXIT, ExitError } from "../../sidecar/process/exit-codes.ts";

function sources(flags: Flags = {}, environment: Environment = {}): ConfigSources {
  return { flags, environment, workingDirectory: "/srv/app" };
}

const localhost = { kind: "localhost", port: 4001 };

describe("serve", () => {
  test("serves localhost on LevelDB below the working directory unless told otherwise", () => {
    expect(parseServeConfig(sources())).toEqual({
      listen: [localhost],
      store: { kind: "level", directory: "/srv/app/.taskhub" },
      logLevel: "info",
    });
  });

  test("reads every setting from the environment", () => {
    const environment = {
      TASKHUB_LISTEN: "4001, 127.0.0.1:8080,[::1]:8080",
      TASKHUB_DATA: "/var/lib/taskhub",
      TASKHUB_STORE: "level",
      TASKHUB_LOG_LEVEL: "debug",
      HOME: "/root",
    };
    expect(parseServeConfig(sources({}, environment))).toEqual({
      listen: [
        localhost,
        { kind: "address", host: "127.0.0.1", port: 8080 },
        { kind: "address", host: "::1", port: 8080 },
      ],
      store: { kind: "level", directory: "/var/lib/taskhub" },
      logLevel: "debug",
    });
  });

  test("prefers flags to the environment, also where the environment is wrong", () => {
    const flags = { listen: "1,2", data: "flag", store: "memory", logLevel: "warn" };
    const environment = {
      TASKHUB_LISTEN: "nowhere",
      TASKHUB_STORE: "punched cards",
      TASKHUB_LOG_LEVEL: "shout",
    };
    expect(parseServeConfig(sources(flags, environment))).toEqual({
      listen: [
        { kind: "localhost", port: 1 },
        { kind: "localhost", port: 2 },
      ],
      store: { kind: "memory" },
      logLevel: "warn",
    });
  });

  test("gives an object that cannot be changed", () => {
    const config = parseServeConfig(sources());
    expect([config, config.listen, config.store].every(Object.isFrozen)).toBe(true);
  });

  test.each<[Flags, string]>([
    [{ store: "postgres" }, '--store: "postgres" is not one of: level, memory'],
    [{ logLevel: "INFO" }, '--log-level: "INFO" is not one of: debug, info, warn, error'],
    [{ data: "" }, "--data: must not be empty"],
    [
      { listen: "4001,,4002" },
      '--listen: "" is not PORT, HOST:PORT or [IPV6]:PORT with a port up to 65535',
    ],
  ])("%j is a mistake in usage", (flags, message) => {
    expect(() => parseServeConfig(sources(flags))).toThrow(new ExitError(EXIT.usage, message));
  });

  test.each<[Environment, string]>([
    [{ TASKHUB_STORE: "" }, 'TASKHUB_STORE: "" is not one of: level, memory'],
    [{ TASKHUB_DATA: "" }, "TASKHUB_DATA: must not be empty"],
    [
      { TASKHUB_DATA_DIR: "/data" },
      "unknown environment variable TASKHUB_DATA_DIR; known are " +
        "TASKHUB_LISTEN, TASKHUB_STORE, TASKHUB_DATA, TASKHUB_LOG_LEVEL, TASKHUB_ADDRESS",
    ],
  ])("%j is a mistake in the configuration", (environment, message) => {
    expect(() => parseServeConfig(sources({}, environment))).toThrow(
      new ExitError(EXIT.config, message),
    );
  });

  test.each([
    [{ listen: "0.0.0.0:1" }, {}, "--listen: "],
    [{}, { TASKHUB_LISTEN: "0.0.0.0:1" }, "TASKHUB_LISTEN: "],
  ])(
    "an address open to others is a mistake in the configuration: %j %j",
    (flags, environment, source) => {
      let thrown: unknown;
      try {
        parseServeConfig(sources(flags, environment));
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({
        exitCode: EXIT.config,
        message: expect.stringMatching(`^${source}"0.0.0.0:1" is not a loopback address`),
      });
    },
  );

  test("knows the variables that Kubernetes makes for a Service called taskhub", () => {
    const environment = Object.fromEntries(
      [
        "TASKHUB_SERVICE_HOST",
        "TASKHUB_SERVICE_PORT",
        "TASKHUB_SERVICE_PORT_GRPC",
        "TASKHUB_PORT",
        "TASKHUB_PORT_4001_TCP",
        "TASKHUB_PORT_4001_TCP_PROTO",
        "TASKHUB_SIDECAR_SERVICE_HOST",
        "TASKHUB_SIDECAR_PORT_4001_TCP_ADDR",
      ].map((name) => [name, "x"]),
    );
    expect(parseServeConfig(sources({}, environment)).listen).toEqual([localhost]);
  });
});

describe("healthcheck", () => {
  test.each<[string, Flags, Environment]>([
    ["localhost:4001", {}, {}],
    ["localhost:5000", { address: "5000" }, { TASKHUB_ADDRESS: "6000" }],
    ["sidecar:6000", {}, { TASKHUB_ADDRESS: "sidecar:6000", TASKHUB_LISTEN: "7000" }],
    ["[::1]:7000", {}, { TASKHUB_LISTEN: "[::1]:7000,8000" }],
  ])("asks %s, given %j and %j", (address, flags, environment) => {
    expect(parseHealthcheckConfig(sources(flags, environment))).toEqual({ address });
  });
});
