/**
 * The sidecar as a child process of the show. In production it is a container beside the
 * application's.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../sidecar/main.ts", import.meta.url));

/** A sidecar that is ready. Whoever started it stops it. */
export interface Sidecar extends SidecarPlace {
  /** Its exit code, once it has ended. */
  readonly ended: Promise<number>;
  /** Asks it to stop, and resolves with its exit code: 0 when all went well. */
  stop(): Promise<number>;
}

interface SidecarPlace {
  /** `host:port` for clients and workers. */
  readonly address: string;
  /** The data directory, or undefined when it keeps all in memory. */
  readonly directory: string | undefined;
}

/** The sidecar ended before it was ready. It has already said on stderr why, and what to do. */
export class SidecarEnded extends Error {
  override readonly name = "SidecarEnded";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`the sidecar ended with exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/**
 * Starts `taskhub serve` and waits until it is ready.
 *
 * @param args of `serve`, for example `["--listen", "4002"]`
 * @throws SidecarEnded
 */
export async function startSidecar(args: readonly string[]): Promise<Sidecar> {
  const child = spawn(process.execPath, [program, "serve", ...args, "--log-level", "info"], {
    stdio: ["ignore", "pipe", "inherit"],
    // Ctrl-C in a terminal goes to the whole process group. The sidecar is to stop after the
    // worker, not with it.
    detached: true,
  });
  const endWithUs = () => child.kill("SIGTERM");
  process.once("exit", endWithUs);
  const ended = exitCodeOf(once(child, "close"));
  const failed = ended.then((exitCode): never => {
    throw new SidecarEnded(exitCode);
  });
  const place = await Promise.race([readiness(child.stdout), failed]);
  return {
    ...place,
    ended,
    stop() {
      process.off("exit", endWithUs);
      child.kill("SIGTERM");
      return ended;
    },
  };
}

async function exitCodeOf(closed: Promise<unknown[]>): Promise<number> {
  const [exitCode] = await closed;
  return typeof exitCode === "number" ? exitCode : 1;
}

/** What the show needs of a log line. */
interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly addresses?: readonly string[];
  readonly store?: { readonly directory?: string };
}

/**
 * Reads the log to its end, shows only what is worse than usual, and resolves when it says that the
 * sidecar is ready.
 */
function readiness(log: Readable): Promise<SidecarPlace> {
  const { promise, resolve } = Promise.withResolvers<SidecarPlace>();
  let place: SidecarPlace | undefined;
  createInterface(log).on("line", (text) => {
    if (!text.startsWith("{")) return console.log(text); // The answer to --help.
    const line: LogLine = JSON.parse(text);
    if (line.level !== "info") console.error(text);
    if (line.event === "sidecar.started") place = placeOf(line);
    if (line.event === "sidecar.ready" && place !== undefined) resolve(place);
  });
  return promise;
}

function placeOf({ addresses = [], store }: LogLine): SidecarPlace {
  const [address = ""] = addresses;
  // Both loopback addresses have one port and one name.
  const localhost = address.replace(/^127\.0\.0\.1:/, "localhost:");
  return { address: addresses.length > 1 ? localhost : address, directory: store?.directory };
}
