/**
 * The load worker: a process that answers work items as fast as it can, with grpc-js and little
 * else.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { GetWorkItemsRequestSchema } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import type { WorkerCommand, WorkerCounts } from "./load-commands.ts";
import { answerCommands } from "./load-process.ts";
import { activityAnswer, orchestratorOf } from "./orchestrator.ts";
import { RawCalls } from "./raw-calls.ts";
import { readWorkItem } from "./work-item.ts";
import type { Workload } from "./workloads.ts";

let counts = { turns: 0, activities: 0 };
let failure: Error | undefined;

answerCommands<WorkerCommand, WorkerCounts>((command) => {
  if (command.do === "work") {
    counts = { turns: 0, activities: 0 };
    failure = undefined;
    work(command.port, command.workload);
  }
  if (failure !== undefined) throw failure;
  return counts;
});

/** Works until the sidecar ends the stream. */
function work(port: number, workload: Workload): void {
  const calls = new RawCalls(port);
  const answerTurn = orchestratorOf(workload);
  const withPast = workload.kind === "fan-out";
  const mine = counts;
  // No limits are stated, as by the JavaScript, Go and Java SDKs.
  const request = create(GetWorkItemsRequestSchema, {});
  const stream = calls.stream(
    "getWorkItems",
    Buffer.from(toBinary(GetWorkItemsRequestSchema, request)),
  );
  stream.on("data", (bytes: Buffer) => {
    void handle(bytes).catch((error: unknown) => {
      if (mine === counts) failure ??= new Error("an answer was refused", { cause: error });
    });
  });
  stream.on("error", () => calls.close());

  async function handle(bytes: Buffer): Promise<void> {
    const item = readWorkItem(bytes, withPast);
    if (item.kind === "turn") {
      await calls.unary("completeOrchestratorTask", answerTurn(item));
      mine.turns += 1;
    } else if (item.kind === "activity") {
      await calls.unary("completeActivityTask", activityAnswer(item));
      mine.activities += 1;
    }
  }
}
