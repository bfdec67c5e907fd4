import type { CallOptions, Client } from "@connectrpc/connect";
import type { TaskHubSidecarService } from "../../../wire/gen/orchestrator_service_pb.ts";
import type { AdminService } from "../../../wire/gen/taskhub/v1/admin_service_pb.ts";
import type { ClientService } from "../../../wire/gen/taskhub/v1/client_service_pb.ts";
import type { ClientConfig } from "../../config.ts";
import type { ExitCode } from "../../exit-codes.ts";
import type { ProgramSurroundings } from "../surroundings.ts";

/** What a command works with. */
export interface ClientContext {
  readonly v1: Client<typeof ClientService>;
  readonly admin: Client<typeof AdminService>;
  readonly compat: Client<typeof TaskHubSidecarService>;
  /** Of calls that are answered at once: they end after 30 seconds, or as the command was told. */
  readonly quick: CallOptions;
  /** Of calls that wait and watch: they end with the command. */
  readonly patient: CallOptions;
  readonly config: ClientConfig;
  readonly surroundings: ProgramSurroundings;
  /** The clock of this machine. */
  readonly nowMs: () => number;
}

/** One command, with its flags as they were written and its operands. */
export type ClientWork<Flags> = (
  context: ClientContext,
  flags: Flags,
  operands: readonly string[],
) => Promise<ExitCode>;
