/** The table of the published methods in README.md: what results say of each, and what there is to know. */
import { TaskHubSidecarService } from "../sidecar/wire/gen/orchestrator_service_pb.ts";
import { readResults } from "../test/conformance/explanations.ts";
import { table, withBlock } from "./markdown.ts";

/** What its name does not tell. */
const NOTES: Readonly<Record<string, string>> = {
  StartInstance: "id reuse policies old and new, scheduled start, tags, versions",
  RewindInstance:
    "failed activities and children run again; also when a worker rewrites the history itself",
  RestartInstance: "under the same id or a new one",
  WaitForInstanceStart: "waits for unknown instances too",
  WaitForInstanceCompletion: "waits for unknown instances too",
  TerminateInstance: "finished by the sidecar itself, recursive",
  SuspendInstance: "stops turns and queued activities",
  QueryInstances: "all filters, in order of creation, tokens that go on with any page size",
  ListInstanceIds: "in order of completion, with a total",
  PurgeInstances: "one id, up to 500 ids, or a filter with a timeout; recursive; entities too",
  GetWorkItems: "orchestrations, activities and entities; filters, limits, health pings",
  CompleteOrchestratorTask: "chunked answers, with and without tokens",
  StreamInstanceHistory:
    "in bounded chunks; a worker that announces it fetches a history above 1 MiB itself",
  SignalEntity: "at once or at a time",
  CleanEntityStorage: "empty entities, and locks whose holder is gone",
  SkipGracefulOrchestrationTerminations: "at most 500 ids",
};

/** README.md with its table made anew. */
export function withMethods(readme: string): string {
  const [own] = readResults();
  const rows = TaskHubSidecarService.methods.map(({ name }) => {
    const checks = own?.results.filter(({ calls }) => calls?.includes(name)) ?? [];
    const passed = checks.filter(({ outcome }) => outcome === "passed").length;
    const works = passed === checks.length && passed > 0 ? "yes" : "**no**";
    return [`\`${name}\``, works, `${passed} of ${checks.length}`, NOTES[name] ?? ""];
  });
  return withBlock(readme, "methods", table(["method", "works", "checks passed", ""], rows));
}
