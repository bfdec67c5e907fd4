import { HubError } from "../../foundation/errors.ts";

/** What was read of an instance. @throws HubError "instance-not-found" when there is none */
export function found<T>(view: T | undefined, instanceId: string): T {
  if (view !== undefined) return view;
  const id = JSON.stringify(instanceId);
  throw new HubError("instance-not-found", `instance ${id} does not exist`);
}
