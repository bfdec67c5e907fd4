/** The rules of the house, read from the sources. A rule that no test checks is a wish. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";
import { describe, expect, test } from "vitest";

/** Each layer may import itself and those before it. */
const layers = ["foundation", "wire", "engine", "store", "scheduler", "rpc", "process"] as const;
type Layer = (typeof layers)[number];

interface Source {
  readonly path: string;
  readonly text: string;
  /** Without comments and strings: what is left is code. */
  readonly code: string;
  readonly imports: readonly string[];
  readonly layer: Layer | undefined;
}

const sources = globSync("sidecar/**/*.ts", { exclude: (path) => path.includes("node_modules") })
  .map((path) => path.split(sep).join("/"))
  .filter((path) => !path.startsWith("sidecar/wire/gen/"))
  .map(readSource);

function readSource(path: string): Source {
  const text = readFileSync(path, "utf8");
  const imports = Array.from(text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g), (match) => {
    const [, specifier = ""] = match;
    return specifier.startsWith(".") ? normalize(join(dirname(path), specifier)) : specifier;
  });
  const code = text
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/(^|[^:])\/\/.*$/gm, "$1")
    .replaceAll(/"(?:[^"\\\n]|\\.)*"/g, '""');
  const layer = layers.find((name) => path.startsWith(`sidecar/${name}/`));
  return { path, text, code, imports, layer };
}

function sourcesOf(...names: readonly Layer[]): readonly Source[] {
  return sources.filter(({ layer }) => layer !== undefined && names.includes(layer));
}

function offenders(among: readonly Source[], pattern: RegExp, allowed: readonly string[] = []) {
  return among
    .filter(({ path, code }) => !allowed.includes(path) && pattern.test(code))
    .map(({ path }) => path);
}

function importers(of: RegExp, allowed: readonly string[] = []) {
  return sources
    .filter(({ path, imports }) => !allowed.includes(path) && imports.some((name) => of.test(name)))
    .map(({ path }) => path);
}

test("there are sources of every layer to look at", () => {
  for (const layer of layers) expect(sourcesOf(layer).length, layer).toBeGreaterThan(0);
});

describe("imports go one way", () => {
  for (const [rank, layer] of layers.entries()) {
    test(`${layer} imports only ${layers.slice(0, rank + 1).join(", ")}`, () => {
      const forbidden = layers.slice(rank + 1).map((name) => `sidecar/${name}/`);
      const wrong = sourcesOf(layer).flatMap(({ path, imports }) =>
        imports
          .filter((name) => forbidden.some((prefix) => name.startsWith(prefix)))
          .map((name) => `${path} imports ${name}`),
      );
      expect(wrong).toEqual([]);
    });
  }

  test("nothing in the sidecar imports tests, examples or scripts", () => {
    expect(importers(/^(test|examples|scripts)\//)).toEqual([]);
  });

  test("foundation knows no type of the project", () => {
    const wrong = sourcesOf("foundation").flatMap(({ path, imports }) =>
      imports
        .filter((name) => name.startsWith("sidecar/") && !name.includes("/foundation/"))
        .map((name) => `${path} imports ${name}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe("a library is known in one place", () => {
  test("gRPC types stay in rpc", () => {
    const outside = importers(/^@grpc\//).filter((path) => !path.startsWith("sidecar/rpc/"));
    expect(outside).toEqual([]);
  });

  test("only the error mapping and the gRPC mount know status codes", () => {
    const knowing = sources.filter(({ code }) => /\bstatus\.[A-Z_]{4,}/.test(code));
    const outside = knowing
      .map(({ path }) => path)
      .filter((path) => !/rpc\/(error-mapping|grpc-|reflection)/.test(path));
    expect(outside).toEqual([]);
  });

  test("LevelDB stays in store/level", () => {
    const outside = importers(/^classic-level$/).filter(
      (path) => !path.startsWith("sidecar/store/level/"),
    );
    expect(outside).toEqual([]);
  });

  test("only process/app-store.ts and the check of a data directory name a concrete store", () => {
    const naming = ["sidecar/process/app-store.ts", "sidecar/process/cli/check.ts"];
    const outside = importers(/sidecar\/store\/(level|memory|ordered)\//).filter(
      (path) => !path.startsWith("sidecar/store/") && !naming.includes(path),
    );
    expect(outside).toEqual([]);
  });

  test("the log library stays in foundation/log.ts", () => {
    expect(importers(/^pino$/, ["sidecar/foundation/log.ts"])).toEqual([]);
  });

  test("the JSON Schema library stays in foundation/json-schema.ts", () => {
    const allowed = ["sidecar/foundation/json-schema.ts"];
    expect(importers(/^@cfworker\/json-schema$/, allowed)).toEqual([]);
  });

  test("the metrics library stays in process/metrics", () => {
    const outside = importers(/^prom-client$/).filter(
      (path) => !/^sidecar\/process\/(hub-)?metrics\.ts$/.test(path),
    );
    expect(outside).toEqual([]);
  });
});

describe("time, chance and the world come from outside", () => {
  test("the engine is pure: no async, clock, randomness, I/O, logs", () => {
    const impure =
      /\b(async|await|Promise|Date|performance|process|console|setTimeout|setImmediate|queueMicrotask)\b|Math\.random/;
    expect(offenders(sourcesOf("engine"), impure)).toEqual([]);
    const nodeImports = sourcesOf("engine").filter(({ imports }) =>
      imports.some((name) => name.startsWith("node:")),
    );
    expect(nodeImports.map(({ path }) => path)).toEqual([]);
  });

  test("only the clock reads the time or sets alarms", () => {
    const layersWithTime = sourcesOf("foundation", "wire", "engine", "store", "scheduler");
    const time = /\b(Date\.now|new Date|performance\.now|setTimeout|setInterval)\b/;
    expect(offenders(layersWithTime, time, ["sidecar/foundation/clock.ts"])).toEqual([]);
  });

  test("only foundation/ids.ts draws identities", () => {
    const allowed = ["sidecar/foundation/ids.ts"];
    const chance = /\b(Math\.random|randomUUID|randomBytes|randomFillSync|getRandomValues)\b/;
    const drawing = sourcesOf("foundation", "wire", "engine", "scheduler");
    expect(offenders(drawing, chance, allowed)).toEqual([]);
  });

  test("only the configuration reads the environment", () => {
    const allowed = ["sidecar/process/config.ts", "sidecar/main.ts"];
    expect(offenders(sources, /\bprocess\.env\b/, allowed)).toEqual([]);
  });
});

describe("nothing is acknowledged before it is durable", () => {
  test("every LevelDB write asks for a sync", () => {
    const writing = sources.filter(
      ({ code }) => /\.(batch|put|del)\(/.test(code) && code.includes("classic"),
    );
    for (const { path, text } of writing) expect(text, path).toMatch(/sync: true/);
    expect(sources.some(({ code }) => /sync:\s*false/.test(code))).toBe(false);
  });
});

describe("files stay readable", () => {
  test("no source is longer than 400 lines", () => {
    const long = sources.filter(({ text }) => text.split("\n").length > 400);
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  test("no barrel files, no catch-all names", () => {
    const names = sources.map(({ path }) => path);
    expect(
      names.filter((path) => /\/(index|utils?|misc|helpers?|manager|common)\.ts$/.test(path)),
    ).toEqual([]);
  });

  test("no TODO survives in the engine or the store", () => {
    const left = sourcesOf("engine", "store").filter(({ text }) => /TODO|FIXME/.test(text));
    expect(left.map(({ path }) => path)).toEqual([]);
  });
});

test("every file that docs/architecture.md names exists", () => {
  const page = readFileSync("docs/architecture.md", "utf8");
  const named = Array.from(
    page.matchAll(/`((?:sidecar|proto|test|docs|examples|scripts)\/[\w./-]+\.\w+)`/g),
    ([, path = ""]) => path,
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((path) => !existsSync(path))).toEqual([]);
});
