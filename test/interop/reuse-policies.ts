/** What becomes of a start whose id is in use, by its policy. */
import { OrchestrationStatus } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";

const ended = ["COMPLETED", "FAILED", "TERMINATED"];

/**
 * Lists of statuses that may be replaced, and an orchestrator that is there before: what the state
 * of the new instance has for its input, or the code of the refusal.
 */
export const policies = [
  {
    fact: "names no status is refused also when there is one that has ended",
    ...{ orchestrator: "empty", statuses: [], outcome: "ALREADY_EXISTS" },
  },
  {
    fact: "names the status of the one that has ended replaces it",
    ...{ orchestrator: "empty", statuses: ["COMPLETED"], outcome: "2" },
  },
  {
    fact: "names other statuses is refused",
    ...{ orchestrator: "broken", statuses: ["COMPLETED"], outcome: "ALREADY_EXISTS" },
  },
  {
    fact: "names running ones replaces a running one",
    ...{ orchestrator: "listens", statuses: [...ended, "RUNNING"], outcome: "2" },
  },
  {
    fact: "names running ones and not terminated ones is INVALID_ARGUMENT",
    ...{ orchestrator: "listens", statuses: ["RUNNING"], outcome: "INVALID_ARGUMENT" },
  },
];

const { RUNNING, COMPLETED, PENDING } = OrchestrationStatus;
const [ignore, terminate] = [1, 2];
const refused = { code: "ALREADY_EXISTS" };
const stays = { input: "1", output: '"alive"' };

/** The older form of a policy, with an action, which the Go SDK sends: what its client sees. */
export const olderPolicies = [
  {
    fact: "ignores a running instance leaves it as it is",
    given: ["listens", ignore, [RUNNING]],
    seen: { refused: null, state: stays },
  },
  {
    fact: "ignores a completed instance leaves it as it is",
    given: ["empty", ignore, [COMPLETED]],
    seen: { refused: null, state: { input: "1", output: '"done"' } },
  },
  {
    fact: "ignores completed instances is refused by a running one",
    given: ["listens", ignore, [COMPLETED]],
    seen: { refused, state: stays },
  },
  {
    fact: "terminates a running instance takes its place",
    given: ["listens", terminate, [RUNNING, COMPLETED, PENDING]],
    seen: { refused: null, state: { input: "2", output: '"done"' } },
  },
  {
    fact: "terminates running instances is refused by a completed one",
    given: ["empty", terminate, [RUNNING]],
    seen: { refused, state: { input: "1", output: '"done"' } },
  },
];
