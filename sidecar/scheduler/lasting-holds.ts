/** The end of holds that have lasted as long as this server allows. */
import { expiredOutput } from "../engine/due.ts";
import { noReply } from "../engine/repeat.ts";
import { HubError } from "../foundation/errors.ts";
import { HoldScope } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { AgedHold } from "./hold-ages.ts";
import type { InstanceCommands } from "./instance-commands.ts";
import type { Suspensions } from "./suspensions.ts";
import { type TerminateTreeOptions, terminateTree } from "./terminate-tree.ts";

/** Who ends them. */
const server = "taskhub serve --suspension-max";

export interface LastingHoldsOptions extends TerminateTreeOptions {
  readonly instances: InstanceCommands;
  readonly suspensions: Suspensions;
}

/** Releases the hold, or terminates what it is on. Nobody can be terminated by a window. */
export async function endLastingHold(
  options: LastingHoldsOptions,
  { hold, origin, instanceId }: AgedHold,
  action: "resume" | "terminate",
): Promise<void> {
  const { instances, suspensions } = options;
  const { name, scope } = hold;
  const isTree = scope === HoldScope.TREE;
  try {
    if (scope === HoldScope.SELECTOR) {
      await suspensions.releaseWindows({ name }, undefined, server, noReply);
    } else if (action === "terminate") {
      const output = expiredOutput(name);
      const command = { instanceId, output, recurse: false, ignoreFinished: true };
      if (origin === undefined) await instances.terminate(command, noReply);
      else await terminateTree(options, origin, output);
    } else {
      const wish = {
        names: isTree ? [] : [name],
        trees: isTree ? [name] : [],
        pace: undefined,
        reason: `suspension ${JSON.stringify(name)} has lasted as long as this server allows`,
        requestedBy: server,
        ignoreFinished: true,
        alsoEntities: true,
      };
      await suspensions.release(instanceId, wish, noReply);
    }
  } catch (error) {
    // The instance, or the hold, has ended meanwhile.
    if (!(error instanceof HubError) || error.code !== "instance-not-found") throw error;
  }
}
