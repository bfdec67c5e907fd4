/** `npm run conformance`: see `--help`. */
import { writeFileSync } from "node:fs";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { ALL_CHECKS } from "./all-checks.ts";
import { type Options, readOptions, USAGE, UsageError } from "./options.ts";
import { resultsFile } from "./results.ts";
import { runChecks, runChecksAlone } from "./runner.ts";
import { ServiceDidNotStart } from "./service-process.ts";
import { resultTable } from "./table.ts";

const HELLO_MS = 10_000;

// Ends with "exit", so that no process of a check is left behind.
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));

try {
  const options = readOptions(process.argv.slice(2));
  if (options === "help") console.log(USAGE);
  // What a check has left open does not keep the program.
  else process.exit(await conformance(options));
} catch (error) {
  if (!(error instanceof UsageError || error instanceof ServiceDidNotStart)) throw error;
  console.error(error.message);
  process.exit(error instanceof UsageError ? 64 : 69);
}

async function conformance(options: Options): Promise<number> {
  const { only, list, json, allowMissing, command } = options;
  const wanted = ALL_CHECKS.filter(
    ({ id }) => only.length === 0 || only.some((text) => id.includes(text)),
  );
  if (wanted.length === 0) throw new UsageError(`no check's id contains ${only.join(" or ")}`);
  if (list) {
    for (const { id, title } of wanted) console.log(`${id}  ${title}`);
    return 0;
  }
  const silence = command === undefined ? await nothingAnswers(options) : undefined;
  if (silence !== undefined) {
    console.error(`${options.host}:${options.port} does not answer: ${silence}`);
    return 69;
  }
  const results =
    command === undefined
      ? await runChecks(wanted, options)
      : await runChecksAlone(wanted, { ...options, command });
  console.log(resultTable(results));
  if (json !== undefined) {
    const file = resultsFile(options.service, options.version, new Date(), results);
    writeFileSync(json, `${JSON.stringify(file, null, 2)}\n`);
  }
  const isBad = (outcome: string) =>
    outcome === "failed" || (outcome === "not offered" && !allowMissing);
  return results.some(({ outcome }) => isBad(outcome)) ? 1 : 0;
}

/** Why the address cannot be used; undefined when somebody answers, whatever they say. */
async function nothingAnswers({ host, port }: Options): Promise<string | undefined> {
  using transport = new GrpcTransport({ host, port });
  const client = createClient(TaskHubSidecarService, transport);
  try {
    await client.hello({}, { timeoutMs: HELLO_MS });
    return undefined;
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    return code === Code.Unavailable || code === Code.DeadlineExceeded ? rawMessage : undefined;
  }
}
