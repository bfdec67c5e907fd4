/** The arguments of `npm run conformance`. */
import { parseArgs } from "node:util";

export const USAGE = `npm run conformance -- --address HOST:PORT [options]
npm run conformance -- --command "PROGRAM --port {port}" [options]

Checks any service of the task hub protocol, which needs nothing but its address. It may have other
data: every id and name is new, and nothing that is not the suite's own is touched.

  --address HOST:PORT  where it listens; localhost:4001 if not given
  --command TEXT       instead of an address: a command that is started anew for each check, and
                       killed behind it, for services that a check can spoil for the others. A shell
                       runs it; {port} in it is a free port, {directory} a new, empty folder
  --taskhub NAME       sent as the "taskhub" metadata key; without it, none is sent
  --only TEXT          only checks whose id contains TEXT; repeatable
  --slow               also those that take up to a minute and a half
  --allow-missing      methods that are not offered are no failure
  --patience N         N times as long for each check before it is given up; 1 if not given
  --concurrency N      how many checks run at once; 16 if not given
  --json FILE          also write the results there
  --service TEXT       what the service is called in that file
  --version TEXT       its version
  --list               print the checks, and run none

Exit codes: 0 all passed; 1 something failed, or is not offered; 64 an argument is wrong; 69 nothing
answers.`;

export interface Options {
  readonly host: string;
  readonly port: number;
  /** Started for each check; without it, all of them are run against the address. */
  readonly command: string | undefined;
  readonly taskHub: string | undefined;
  readonly only: readonly string[];
  readonly slow: boolean;
  readonly allowMissing: boolean;
  readonly concurrency: number;
  readonly patience: number;
  readonly json: string | undefined;
  readonly service: string;
  readonly version: string;
  readonly list: boolean;
}

/** @throws UsageError */
export function readOptions(args: readonly string[]): Options | "help" {
  const given = parsed(args);
  if (given.help) return "help";
  const { command } = given;
  if (command !== undefined && given.address !== undefined) {
    throw new UsageError("--command brings its own address: leave --address out");
  }
  if (command !== undefined && !command.includes("{port}")) {
    throw new UsageError("--command must say where {port} goes");
  }
  const [host, port] = addressOf(given.address ?? "localhost:4001");
  return {
    host,
    port,
    command,
    taskHub: given.taskhub,
    only: given.only,
    slow: given.slow,
    allowMissing: given["allow-missing"],
    concurrency: positive("--concurrency", given.concurrency),
    patience: positive("--patience", given.patience),
    json: given.json,
    service: given.service,
    version: given.version,
    list: given.list,
  };
}

export class UsageError extends Error {}

function parsed(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        address: { type: "string" },
        command: { type: "string" },
        taskhub: { type: "string" },
        only: { type: "string", multiple: true, default: [] },
        slow: { type: "boolean", default: false },
        "allow-missing": { type: "boolean", default: false },
        concurrency: { type: "string", default: "16" },
        patience: { type: "string", default: "1" },
        json: { type: "string" },
        service: { type: "string", default: "" },
        version: { type: "string", default: "" },
        list: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function positive(flag: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new UsageError(`${flag} must be a positive number, not ${text}`);
}

function addressOf(address: string): readonly [string, number] {
  const [, host = "", port = ""] = /^(?:http:\/\/)?(.+):(\d+)\/?$/.exec(address) ?? [];
  const number = Number(port);
  if (host === "" || !(number > 0 && number < 65_536)) {
    throw new UsageError(`--address must be HOST:PORT, not ${address}`);
  }
  return [host.replace(/^\[(.*)\]$/, "$1"), number];
}
