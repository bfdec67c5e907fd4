import { describe, expect, test } from "vitest";
import {
  type ConfigSources,
  type Environment,
  type Flags,
  parseClientConfig,
  parseHealthcheckConfig,
  parseServeConfig,
} from "../../sidecar/process/config.ts";
import { EXIT, ExitError } from "../../sidecar/process/exit-codes.ts";
import { SETTINGS } from "../../sidecar/process/settings.ts";

function sources(flags: Flags = {}, environment: Environment = {}): ConfigSources {
  return { flags, environment, workingDirectory: "/srv/app" };
}

const localhost = { kind: "localhost", port: 4001 };

const hour = 3_600_000;

/** A store on disk, but for where it is. */
const level = {
  kind: "level",
  reserveBytes: 67_108_864,
  acceptedLoss: undefined,
  keepsFormer: true,
};

/** What is not about where to listen, to store and to log. */
const bounds = {
  suspended: false,
  earlyTurns: false,
  entityBatches: "v2",
  suspension: { warnMs: hour, criticalMs: 24 * hour, maxMs: undefined, maxAction: "keep" },
  customStatus: { maxBytes: 65_536, overflow: "fail", revisions: 32, revisionBytes: 262_144 },
  buffered: { eventsMax: 10_000, eventBytesMax: 67_108_864 },
  deliveries: { turnLossesMax: undefined, activityLossesMax: undefined },
  retention: { ages: {}, lowSpaceAges: {} },
  loopWatchdogMs: 30_000,
};

describe("serve", () => {
  test("serves localhost on LevelDB below the working directory unless told otherwise", () => {
    expect(parseServeConfig(sources())).toEqual({
      listen: [localhost],
      store: { ...level, directory: "/srv/app/.taskhub" },
      logLevel: "info",
      ...bounds,
    });
  });

  test("reads every setting from the environment", () => {
    const environment = {
      TASKHUB_LISTEN: "4001, 127.0.0.1:8080,[::1]:8080",
      TASKHUB_DATA: "/var/lib/taskhub",
      TASKHUB_STORE: "level",
      TASKHUB_LOG_LEVEL: "debug",
      TASKHUB_SUSPENDED: "true",
      TASKHUB_SUSPENSION_WARN: "off",
      TASKHUB_SUSPENSION_CRITICAL: "90m",
      TASKHUB_SUSPENSION_MAX: "7d",
      TASKHUB_SUSPENSION_MAX_ACTION: "terminate",
      TASKHUB_CUSTOM_STATUS_MAX_BYTES: "16KiB",
      TASKHUB_CUSTOM_STATUS_OVERFLOW: "drop",
      TASKHUB_CUSTOM_STATUS_REVISIONS: "8",
      TASKHUB_CUSTOM_STATUS_REVISION_BYTES: "1MiB",
      TASKHUB_BUFFERED_EVENTS_MAX: "100",
      TASKHUB_BUFFERED_EVENT_BYTES_MAX: "1000000",
      TASKHUB_TURN_LOSSES_MAX: "5",
      TASKHUB_ACTIVITY_LOSSES_MAX: "1000",
      TASKHUB_LOOP_WATCHDOG: "off",
      TASKHUB_RETENTION: "completed=30d,failed=90d, terminated=1h30m",
      TASKHUB_RETENTION_LOW_SPACE: "canceled=12h",
      TASKHUB_DISK_RESERVE: "0",
      TASKHUB_KEEP_FORMER: "false",
      TASKHUB_EARLY_TURNS: "true",
      TASKHUB_ENTITY_BATCHES: "v1",
      HOME: "/root",
    };
    expect(parseServeConfig(sources({}, environment))).toEqual({
      listen: [
        localhost,
        { kind: "address", host: "127.0.0.1", port: 8080 },
        { kind: "address", host: "::1", port: 8080 },
      ],
      store: { ...level, directory: "/var/lib/taskhub", reserveBytes: 0, keepsFormer: false },
      logLevel: "debug",
      suspended: true,
      earlyTurns: true,
      entityBatches: "v1",
      suspension: {
        warnMs: undefined,
        criticalMs: 1.5 * hour,
        maxMs: 7 * 24 * hour,
        maxAction: "terminate",
      },
      customStatus: {
        maxBytes: 16_384,
        overflow: "drop",
        revisions: 8,
        revisionBytes: 1_048_576,
      },
      buffered: { eventsMax: 100, eventBytesMax: 1_000_000 },
      deliveries: { turnLossesMax: 5, activityLossesMax: 1_000 },
      retention: {
        ages: { completed: 720 * hour, failed: 2_160 * hour, terminated: 1.5 * hour },
        lowSpaceAges: { canceled: 12 * hour },
      },
      loopWatchdogMs: undefined,
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
      ...bounds,
    });
  });

  test("gives an object that cannot be changed", () => {
    const config = parseServeConfig(sources());
    const { listen, store, suspension, customStatus, buffered, deliveries, retention } = config;
    const { ages, lowSpaceAges } = retention;
    const bounded = [suspension, customStatus, buffered, deliveries];
    const parts = [config, listen, store, ...bounded, retention, ages, lowSpaceAges];
    expect(parts.every(Object.isFrozen)).toBe(true);
  });

  test.each<[Flags, string]>([
    [{ store: "postgres" }, '--store: "postgres" is not one of: level, memory'],
    [{ logLevel: "INFO" }, '--log-level: "INFO" is not one of: debug, info, warn, error'],
    [{ data: "" }, "--data: must not be empty"],
    [{ suspended: "yes" }, '--suspended: "yes" is not one of: true, false'],
    [
      { suspensionWarn: "1" },
      '--suspension-warn: "1" is not a duration such as 30s, 15m, 1h30m or 7d',
    ],
    [{ suspensionMax: "0s" }, '--suspension-max: "0s" is no time at all; off switches it off'],
    [
      { suspensionMaxAction: "purge" },
      '--suspension-max-action: "purge" is not one of: resume, terminate, keep',
    ],
    [
      { customStatusMaxBytes: "3MiB" },
      '--custom-status-max-bytes: "3MiB" is not a size such as 65536, 64KiB or 2MiB, ' +
        "from 1 to 2097152 bytes",
    ],
    [
      { customStatusRevisions: "0" },
      '--custom-status-revisions: "0" is not a whole number from 1 to 1000',
    ],
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
        Object.values(SETTINGS)
          .map(({ variable }) => variable)
          .join(", "),
    ],
  ])("%j is a mistake in the configuration", (environment, message) => {
    expect(() => parseServeConfig(sources({}, environment))).toThrow(
      new ExitError(EXIT.config, message),
    );
  });

  test("what is critical is not earlier than what is worth a warning", () => {
    const flags = { suspensionWarn: "2d" };
    expect(() => parseServeConfig(sources(flags))).toThrow(
      new ExitError(
        EXIT.config,
        "--suspension-critical must not be shorter than --suspension-warn",
      ),
    );
    const both = { ...flags, suspensionCritical: "off" };
    expect(parseServeConfig(sources(both)).suspension).toMatchObject({ criticalMs: undefined });
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

describe("commands of clients", () => {
  test("ask the sidecar of a health check, and the hub default, for tables, without a limit", () => {
    expect(parseClientConfig({}, { TASKHUB_LISTEN: "7000" }, "/")).toEqual({
      address: "localhost:7000",
      taskHub: "default",
      output: "table",
      timeoutMs: undefined,
      colours: true,
    });
  });

  test("prefer flags to the environment", () => {
    const flags = { address: "1", taskhub: "orders", format: "jsonl", timeout: "2m" };
    const environment = { TASKHUB_ADDRESS: "2", TASKHUB_TASKHUB: "bills", NO_COLOR: "1" };
    expect(parseClientConfig(flags, environment, "/")).toEqual({
      address: "localhost:1",
      taskHub: "orders",
      output: "jsonl",
      timeoutMs: 120_000,
      colours: false,
    });
    expect(parseClientConfig({}, environment, "/").taskHub).toBe("bills");
  });

  test.each([
    [{ format: "yaml" }, '-o: "yaml" is not one of: table, json, jsonl'],
    [{ timeout: "soon" }, '--timeout: "soon" is not a duration such as 30s, 15m, 1h30m or 7d'],
    [{ taskhub: "" }, "--taskhub: must be printable ASCII, and not empty"],
    [{ taskhub: "a\nb" }, "--taskhub: must be printable ASCII, and not empty"],
  ])("%j is a mistake in usage", (flags, message) => {
    expect(() => parseClientConfig(flags, {}, "/")).toThrow(new ExitError(EXIT.usage, message));
  });
});
