/** Reopening behind a write error, told in terms of the space that it finds. */
import { expect, test } from "vitest";
import { SortedBytes } from "../../sidecar/store/memory/sorted-bytes.ts";
import { silentMonitor } from "../../sidecar/store/monitor.ts";
import { Handle } from "../../sidecar/store/ordered/handle.ts";
import { Reopening } from "../../sidecar/store/ordered/reopening.ts";
import { endlessSpace, type Space } from "../../sidecar/store/space.ts";
import { FakeSteadyClock } from "../support/fake-clock.ts";

test("what is in reserve is given up when there is no room to open, whatever the first error was", async () => {
  const bytes = new SortedBytes();
  let room = false;
  const space: Space = {
    ...endlessSpace,
    isShort: async ({ message }) => message.includes("no space"),
    makeRoom: async () => {
      const hadReserve = !room;
      room = true;
      return hadReserve;
    },
    // Nobody else ever frees anything.
    changed: () => new Promise(() => {}),
  };
  const open = async () => {
    if (!room) throw new Error("no space left on device");
    return bytes;
  };
  const clock = new FakeSteadyClock();
  const reopening = new Reopening(new Handle(bytes), { open, clock }, space, silentMonitor);
  expect(await reopening.landed(new Error("input/output error"), 1)).toBe(false);
});
