/** `npm start` tells its story, and what it tells the reader to type works as printed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { delimiter, resolve } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { commandsToTry } from "../../examples/order/commands.ts";
import { type ProcessEnd, run, startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

test("orders are shown from start to result, and every printed command works", {
  timeout: 180_000,
}, async () => {
  await using directory = await temporaryDirectory();
  await using show = startShow(["--listen", "0", "--data", directory.path]);

  const shown = await show.until(/Ctrl-C stops them/);
  expect(shown).toMatch(suspension);
  expect(shown).toMatch(maintenance);
  for (const [command, answer] of answers(show.printedCommands())) {
    const { end, stdout, stderr } = await run(["sh", "-c", command], { env });
    expect({ command, end, stdout, stderr }).toMatchObject({
      command,
      end: 0,
      stdout: expect.stringMatching(answer),
    });
  }

  const port = Number(/sidecar +\S+:(\d+)/.exec(show.printed())?.[1]);
  await expect(canConnect(port)).resolves.toBe(true);
  expect(await show.stop("SIGINT")).toBe(0);
  await expect(canConnect(port)).resolves.toBe(false);
});

test("it can be stopped at any time, and started again on the same data", async () => {
  await using directory = await temporaryDirectory();
  const args = ["--listen", "0", "--data", directory.path];

  await using interrupted = startShow(args);
  expect(await interrupted.until(/RUNNING/)).toContain("order-1 ");
  expect(await interrupted.stop("SIGTERM")).toBe(0);

  await using again = startShow(args);
  expect(await again.until(/RUNNING/)).toContain("order-2 ");
  expect(await again.stop("SIGINT")).toBe(0);
});

test("a port in use is told in one line, with the exit code of the sidecar", async () => {
  await using directory = await temporaryDirectory();
  await using other = await startSidecar();

  await using show = startShow(["--listen", other.address, "--data", directory.path]);

  expect(await show.ended).toBe(69);
  expect(await show.toEnd()).toBe("");
  expect(await show.stderr).toMatch(/^taskhub: .* is in use: .*--listen\n$/);
});

test("a data directory in use is told in one line, with the exit code of the sidecar", async () => {
  await using directory = await temporaryDirectory();
  await using _other = await startSidecar({ dataDirectory: directory.path });

  await using show = startShow(["--listen", "0", "--data", directory.path]);

  expect(await show.ended).toBe(75);
  expect(await show.toEnd()).toBe("");
  expect(await show.stderr).toMatch(/^taskhub: .*\n$/);
});

test("commands name the sidecar only when it is not where they look by themselves", () => {
  const texts = (address: string) => commandsToTry(address, "order-1").map(({ text }) => text);
  expect(texts("localhost:4001")).toContain("npx taskhub list");
  expect(texts("localhost:4002")).toContain("npx taskhub list --address localhost:4002");
});

/**
 * What is shown of the first order, without what a quick or a slow machine may add: PENDING at the
 * beginning, or the same line once more.
 */
const suspension = inOrder([
  /sidecar +\S+:\d+, data in \//,
  /\d:\d\d +order-1 +RUNNING +#1 reserving stock$/,
  /order-1 +RUNNING +#2 packing$/,
  /> suspend order-1/,
  /order-1 +SUSPENDED +#2 packing +held by "address check"$/,
  /since [\d:]{8}, by Ann, until [\d:]{8}: the customer has moved$/,
  /> raise the event Approval/,
  /events that wait: 1, and no worker has anything of the order$/,
  /> resume order-1/,
  /order-1 +RUNNING +#\d charging payment$/,
  /order-1 +RUNNING +#\d charging payment +held by "maintenance"$/,
  /order-1 +RUNNING +#\d shipping$/,
  /order-1 +COMPLETED +#\d shipped$/,
  /result +\{"outcome":"shipped","paid":49,"parcel":"kettle of order-1"\}/,
]);

/** And of the window, which the second order meets. */
const maintenance = inOrder([
  /> hold the whole task hub/,
  /since [\d:]{8}, by Bob, until [\d:]{8}: a new payment terminal$/,
  /> start order-2/,
  /order-2 +PENDING +held by "maintenance"$/,
  /> wait until no worker has anything any more/,
  /all is quiet$/,
  /> end the window/,
  /order-\d +\w+ .*"maintenance" is being released$/,
  /order-2 +RUNNING +#1 reserving stock/,
  /order-2 +COMPLETED +#\d shipped/,
  /result +\{"outcome":"shipped","paid":49,"parcel":"teapot of order-2"\}/,
  /Try next/,
]);

/** Each printed command with what it must answer; another or a missing command is a failure. */
function answers(commands: readonly string[]): readonly [command: string, answer: RegExp][] {
  const expected: readonly [what: RegExp, answer: RegExp][] = [
    [/^npx taskhub list /, inOrder([/^order-1 .* COMPLETED .*/, /^order-2 .* COMPLETED/])],
    [/^npx taskhub start /, /^order-3\n$/],
    [/^npx taskhub suspend /, /^suspended +order-3 +by hold "lunch"\n$/],
    [/^npx taskhub raise-event /, /order-3/],
    [/^npx taskhub explain /, /held by hold "lunch" .*: back at two$/m],
    [/^npx taskhub resume /, /^resumed +order-3 +released "lunch"\n$/],
    [/^npx taskhub watch /, inOrder([/order-3/, /COMPLETED +#\d +\{"step":"shipped"\}$/])],
    [/^npx taskhub history /, inOrder([/ExecutionSuspended/, /ExecutionResumed/])],
    [/ --list-methods /, /^taskhub\.v1\.ClientService\/WatchInstance$/m],
    [/\/ListCustomStatusRevisions$/, inOrder([/reserving stock/, /shipped/])],
  ];
  expect(commands).toEqual(expected.map(([what]) => expect.stringMatching(what)));
  return commands.map((command, index) => [command, expected[index]?.[1] ?? /^$/]);
}

function inOrder(patterns: readonly RegExp[]): RegExp {
  return new RegExp(patterns.map(({ source }) => source).join("[^]*?"), "m");
}

/** As npm runs scripts; and nothing may be downloaded in place of our own programs. */
const env = {
  PATH: [resolve("node_modules/.bin"), process.env.PATH].join(delimiter),
  npm_config_offline: "true",
};

/** `npm start -- ...args`, without npm. */
function startShow(args: readonly string[]): Show {
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));
  return new Show(["-c", `exec ${scripts.start} "$@"`, "npm-start", ...args]);
}

/** A running show. Disposing ends it. */
class Show implements AsyncDisposable {
  /**
   * Resolves when it is gone and nobody is left who could write to its stderr: the sidecar writes
   * there, too.
   */
  readonly ended: Promise<ProcessEnd>;
  readonly stderr: Promise<string>;
  readonly #child;
  readonly #lines: string[] = [];
  readonly #input: AsyncIterator<string>;

  constructor(shellArgs: readonly string[]) {
    this.#child = spawn("sh", shellArgs, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    this.#input = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
    this.stderr = text(this.#child.stderr);
    this.ended = once(this.#child, "close").then(([code, signal]) => code ?? signal);
  }

  /** All that it has printed when this appears, or at its end. */
  async until(pattern: RegExp): Promise<string> {
    for (;;) {
      const { done, value } = await this.#input.next();
      if (done === true) return this.printed();
      this.#lines.push(value);
      if (pattern.test(value)) return this.printed();
    }
  }

  /** All that it has printed at its end. */
  toEnd(): Promise<string> {
    return this.until(/(?!)/);
  }

  /** What it has printed so far. */
  printed(): string {
    return this.#lines.join("\n");
  }

  /** As printed, with their line breaks. */
  printedCommands(): readonly string[] {
    return Array.from(
      this.printed().matchAll(/^ *(npx (?:.*\\\n)*.*)$/gm),
      ([, text = ""]) => text,
    );
  }

  stop(signal: NodeJS.Signals): Promise<ProcessEnd> {
    this.#child.kill(signal);
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGTERM");
  }
}

async function canConnect(port: number): Promise<boolean> {
  const socket = connect(port, "localhost");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
