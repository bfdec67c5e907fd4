/** What clients ask of instances: starting, raising events, terminating, purging. */

import type { BufferLimits } from "../engine/raise-event.ts";
import { decideRaiseEvent, type RaiseEventCommand } from "../engine/raise-event.ts";
import { noReply, type Reply } from "../engine/repeat.ts";
import { decideStart, type StartCommand } from "../engine/start.ts";
import { decideTerminate, type TerminateCommand } from "../engine/terminate.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { Commands } from "./commands.ts";
import type { HubLog } from "./hub-log.ts";
import type { Purging } from "./purging.ts";
import { skipGracefulTerminations } from "./skip-terminations.ts";
import { refusingWindow } from "./start-refusal.ts";

export interface InstanceCommandsOptions {
  readonly hub: HubLog;
  readonly commands: Commands;
  readonly bufferLimits: BufferLimits;
  readonly purging: Purging;
}

export class InstanceCommands {
  readonly #options: InstanceCommandsOptions;

  constructor(options: InstanceCommandsOptions) {
    this.#options = options;
  }

  /**
   * @returns the instance id. @throws HubError "instance-exists", "invalid-argument" (see
   * PROTOCOL.md 4.2), "unavailable" while a maintenance window lets no such instance be started
   */
  async start(command: Omit<StartCommand, "refusedBecause">): Promise<string> {
    const { hub, commands } = this.#options;
    const { instanceId } = command;
    await commands.onInstance(instanceId, Cause.START, noReply, (state, environment) => {
      const refusedBecause = refusingWindow(hub.holds, command, hub.name, environment.now);
      const decision = decideStart(state, { ...command, refusedBecause }, environment);
      return { decision, outcome: () => {} };
    });
    return instanceId;
  }

  /**
   * Resolves once the event is durable; does not wait for anybody to read it.
   *
   * @throws HubError "instance-not-found", "failed-precondition", "limit-exceeded"
   */
  raiseEvent<Result>(command: RaiseEventCommand, reply: Reply<void, Result>): Promise<Result> {
    const { commands, bufferLimits } = this.#options;
    const { instanceId } = command;
    return commands.onInstance(instanceId, Cause.RAISE_EVENT, reply, (state, environment) => ({
      decision: decideRaiseEvent(state, command, environment, bufferLimits),
      outcome: () => {},
    }));
  }

  /** @throws HubError "instance-not-found", "failed-precondition" */
  terminate<Result>(command: TerminateCommand, reply: Reply<void, Result>): Promise<Result> {
    const { commands } = this.#options;
    const { instanceId } = command;
    return commands.onInstance(instanceId, Cause.TERMINATE, reply, (state, environment) => ({
      decision: decideTerminate(state, command, environment),
      outcome: () => {},
    }));
  }

  /** @see skipGracefulTerminations in skip-terminations.ts */
  skipGracefulTerminations(ids: readonly string[], reason: string | undefined): Promise<string[]> {
    return skipGracefulTerminations(this.#options.commands, ids, reason);
  }

  /** @see Purging.byId */
  purge(instanceId: string, recursive: boolean): Promise<number> {
    return this.#options.purging.byId([instanceId], { recursive });
  }
}
