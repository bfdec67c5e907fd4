/** Somebody who reads a page from its top to its end, types what it says, and looks at the answers. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { ClientService } from "../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { type Instance, InstanceStatus } from "../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import { type Reader, type } from "../clients/client-page.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type Block, blocksOf, expectShown, type Step } from "./doc-page.ts";

/** What each page says under "Before you start". */
const started = `npx taskhub serve --store memory
npx node examples/docs/worker.ts localhost:4001
`;

/**
 * `npx` itself takes most of the time of a command; the tests of docs/clients.md run the real one.
 * grpcurl is not installed with the project: the same call is made by `buf curl`.
 */
const standIns = {
  npx: `#!/bin/sh
exec "$@"
`,
  grpcurl: `#!/bin/bash
[ "$1" = -plaintext ] || exit 64
shift
options=()
while [ $# -gt 2 ]; do options+=("$1" "$2"); shift 2; done
if [ "$2" = list ]; then options+=(--list-services); else path="/$2"; fi
exec buf curl --protocol grpc "\${options[@]}" "http://$1$path"
`,
};

/** Ends the wait for something that will never happen. */
const PATIENCE_MS = 30_000;

/** A sidecar and the worker of the pages, as the pages say that they are to be started. */
export async function startAsSaid(path: string): Promise<Scene> {
  const before = blocksOf(path).filter(
    ({ section, fence }) => section === "Before you start" && fence === "sh",
  );
  if (before.map(({ text }) => text).join("") !== started) {
    throw new Error(`${path} says that something else is to be started`);
  }
  await using opened = new AsyncDisposableStack();
  const sidecar = opened.use(await startSidecar());
  const worker = spawn(process.execPath, ["examples/docs/worker.ts", sidecar.address], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const gone = once(worker, "exit");
  opened.defer(async () => {
    worker.kill("SIGKILL");
    await gone;
  });
  const connection = opened.adopt(new Http2SessionManager(`http://${sidecar.address}`), (session) =>
    session.abort(),
  );
  const programs = opened.use(await temporaryDirectory());
  for (const [name, script] of Object.entries(standIns)) {
    await writeFile(join(programs.path, name), script);
    await chmod(join(programs.path, name), 0o755);
  }
  // It says so when it is connected.
  await once(worker.stdout, "data");
  return new Scene(sidecar.address, connection, programs.path, opened.move());
}

/** A running sidecar with a worker. */
export class Scene implements AsyncDisposable {
  readonly address: string;
  readonly #client;
  readonly #programs: string;
  readonly #opened: AsyncDisposableStack;

  constructor(
    address: string,
    sessionManager: Http2SessionManager,
    programs: string,
    opened: AsyncDisposableStack,
  ) {
    this.address = address;
    const transport = createGrpcTransport({ baseUrl: `http://${address}`, sessionManager });
    this.#client = createClient(ClientService, transport);
    this.#programs = programs;
    this.#opened = opened;
  }

  /** Types the commands, compares what they print, and waits until all that follows has happened. */
  async follow({ commands, shown }: Step, folder: string): Promise<void> {
    const printed = await this.#type(commands, folder);
    if (shown !== undefined) expectShown(shown, printed);
    await this.#settled();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#opened.disposeAsync();
  }

  async #type({ text, line }: Block, path: string): Promise<string[]> {
    const reader: Reader = {
      checkout: { path, [Symbol.asyncDispose]: async () => {} },
      address: this.address,
      programs: this.#programs,
    };
    try {
      return await type(`export TASKHUB_ADDRESS=${this.address}\n${text}`, reader);
    } catch (cause) {
      throw new Error(`the block in line ${line} fails`, { cause });
    }
  }

  /** Each order waits for its approval or is held, each batch for an order; no release goes on. */
  async #settled(): Promise<void> {
    // What is told is of no interest here: that something was told is a reason to look again.
    const signal = AbortSignal.timeout(PATIENCE_MS);
    for await (const _change of this.#client.watchInstances({}, { signal })) {
      if (await this.#isSettled()) return;
    }
  }

  async #isSettled(): Promise<boolean> {
    const { instances } = await this.#client.queryInstances({});
    const { holds } = await this.#client.getTaskHub({});
    return (
      instances.every((instance) => isStill(instance, instances)) &&
      holds.every(({ hold }) => hold?.pacedRelease?.canaries !== 0)
    );
  }
}

function isStill(instance: Instance, all: readonly Instance[]): boolean {
  const isLater = instance.scheduledStartAt !== undefined;
  if (instance.completedAt !== undefined || instance.holds.length > 0 || isLater) return true;
  switch (instance.name) {
    case "order":
      return instance.customStatus?.value?.includes("waiting") === true;
    case "batch":
      return all.some(
        (child) => child.parentInstanceId === instance.instanceId && !child.completedAt,
      );
    default:
      return instance.status === InstanceStatus.RUNNING;
  }
}
