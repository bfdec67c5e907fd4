import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { covers, isActive } from "../engine/hub/covers.ts";
import type { StartCommand } from "../engine/start.ts";
import { type HubHold, Kind } from "../wire/gen/taskhub/internal/v1/state_pb.ts";

type Startable = Pick<StartCommand, "instanceId" | "name" | "version"> & {
  readonly tags: Readonly<Record<string, string>>;
};

/** Why no such instance may be started now by a client: the window that says so, in words. */
export function refusingWindow(
  holds: readonly HubHold[],
  { instanceId, name, version, tags }: Startable,
  hubName: string,
  now: Timestamp,
): string | undefined {
  if (holds.length === 0) return undefined;
  const subject = {
    kind: Kind.ORCHESTRATION,
    instanceId,
    name,
    version,
    tags,
    number: 0n,
    ancestors: [],
  };
  const window = holds.find(
    (hold) =>
      hold.refusesStarts &&
      hold.pacedRelease === undefined &&
      isActive(hold, now) &&
      covers(hold, subject),
  );
  if (window?.hold === undefined) return undefined;
  const because = window.hold.reason ? `: ${window.hold.reason}` : "";
  return (
    `task hub ${JSON.stringify(hubName)} accepts no such instance ` +
    `while maintenance window ${JSON.stringify(window.hold.name)} is in force${because}`
  );
}
