/** The published Go SDK for all tests of a file. */
import { randomUUID } from "node:crypto";
import type { TaskFailureDetails } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { findGo, type Go, GoProgram } from "./go-program.ts";
import { eventsOf } from "./history-events.ts";
import { type ProgramSuite, programSuite } from "./program-suite.ts";

/** @param area of test/interop/go/main.go */
export async function goSuite(
  area: string,
  taskHub = `go-${randomUUID()}`,
): Promise<ProgramSuite<Go>> {
  return programSuite(
    await findGo(),
    (go, address) => new GoProgram(go, area, address, taskHub),
    taskHub,
  );
}

/** How an instance has failed: the SDK's client leaves that out of what it gives. */
export async function failureOf(
  suite: ProgramSuite<Go>,
  instanceId: string,
): Promise<TaskFailureDetails | undefined> {
  return eventsOf(await suite.history(instanceId), "executionCompleted")[0]?.failureDetails;
}
