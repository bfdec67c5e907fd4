/** Running instances again: failed ones from where they failed, any other from the beginning. */
import { notFound } from "../engine/decision.ts";
import { noReply } from "../engine/repeat.ts";
import { decideRestart, type Restarted, restartOf } from "../engine/restart.ts";
import { decideRewind, type RewindCommand } from "../engine/rewind/rewind.ts";
import type { InstanceState } from "../engine/state.ts";
import { HubError } from "../foundation/errors.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { Commands } from "./commands.ts";
import type { Heads } from "./heads.ts";
import type { HubLog } from "./hub-log.ts";
import type { InstanceReader } from "./instance-reader.ts";
import { refusingWindow } from "./start-refusal.ts";

export interface RerunsOptions {
  readonly hub: HubLog;
  readonly heads: Heads;
  readonly reader: InstanceReader;
  readonly commands: Commands;
}

export class Reruns {
  readonly #options: RerunsOptions;

  constructor(options: RerunsOptions) {
    this.#options = options;
  }

  /**
   * Lets a failed instance go on: what has succeeded stays, what has failed is done again, children
   * included. Resolves when that is durable; children hear of it later.
   *
   * @throws HubError "instance-not-found", "failed-precondition", "limit-exceeded"
   */
  async rewind(command: RewindCommand): Promise<void> {
    const { heads, commands } = this.#options;
    const { instanceId } = command;
    const head = await heads.pin(instanceId);
    try {
      // In memory from here on, as long as the head is.
      await heads.loadHistory(head);
      await commands.onInstance(instanceId, Cause.REWIND, noReply, (state, environment) => ({
        decision: decideRewind(state, head.history, command, environment),
        outcome: () => {},
      }));
    } finally {
      heads.unpin(head);
    }
  }

  /**
   * Starts a finished instance again in its own place.
   *
   * @throws HubError "instance-not-found", "failed-precondition" while it goes on, "unavailable" while
   * a maintenance window lets no such instance be started, "limit-exceeded"
   */
  async restart(instanceId: string): Promise<void> {
    await this.#begin(instanceId, restartOf);
  }

  /**
   * Starts the same as an instance once more, under an id that nobody has; the instance itself may be
   * in any status, and goes on.
   *
   * @throws HubError "instance-not-found", "unavailable", "limit-exceeded"
   */
  async restartAs(newInstanceId: string, instanceId: string): Promise<void> {
    const restarted = await this.#options.reader.look(instanceId, restartOf);
    if (restarted === undefined) {
      throw new HubError(
        "instance-not-found",
        `instance ${JSON.stringify(instanceId)} does not exist`,
      );
    }
    await this.#begin(newInstanceId, () => restarted);
  }

  async #begin(
    instanceId: string,
    restartedFrom: (state: InstanceState | undefined) => Restarted | undefined,
  ): Promise<void> {
    const { hub, commands } = this.#options;
    await commands.onInstance(instanceId, Cause.RESTART, noReply, (state, environment) => {
      const restarted = restartedFrom(state);
      if (restarted === undefined) return { decision: notFound(instanceId), outcome: () => {} };
      const start = { instanceId, ...restarted };
      const refusedBecause = refusingWindow(hub.holds, start, hub.name, environment.now);
      const command = { instanceId, restarted, refusedBecause };
      return { decision: decideRestart(state, command, environment), outcome: () => {} };
    });
  }
}
