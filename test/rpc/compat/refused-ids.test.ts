import { describe, expect, it } from "vitest";
import { type CompatClient, openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";

/** Every method that names an instance. */
const methods: Record<string, (client: CompatClient, instanceId: string) => Promise<unknown>> = {
  startInstance: (client, instanceId) => client.startInstance({ instanceId, name: "Main" }),
  getInstance: (client, instanceId) => client.getInstance({ instanceId }),
  waitForInstanceStart: (client, instanceId) => client.waitForInstanceStart({ instanceId }),
  waitForInstanceCompletion: (client, instanceId) =>
    client.waitForInstanceCompletion({ instanceId }),
  raiseEvent: (client, instanceId) => client.raiseEvent({ instanceId, name: "E" }),
  terminateInstance: (client, instanceId) => client.terminateInstance({ instanceId }),
  suspendInstance: (client, instanceId) => client.suspendInstance({ instanceId }),
  resumeInstance: (client, instanceId) => client.resumeInstance({ instanceId }),
  purgeInstances: (client, value) =>
    client.purgeInstances({ request: { case: "instanceId", value } }),
  streamInstanceHistory: (client, instanceId) =>
    client.streamInstanceHistory({ instanceId })[Symbol.asyncIterator]().next(),
};
const names = Object.keys(methods);

const refused: [string, string, RegExp][] = [
  ["513 bytes", "i".repeat(513), /^instanceId is longer than 512 bytes$/],
  ["513 bytes in fewer characters", `${"é".repeat(256)}i`, /^instanceId is longer than 512 bytes$/],
  ["a megabyte", "i".repeat(1024 * 1024), /^instanceId is longer than 512 bytes$/],
  ["NUL", "a\u0000b", /^instanceId contains a control character$/],
  ["a line feed", "a\nb", /^instanceId contains a control character$/],
  ["a carriage return", "a\r\nb", /^instanceId contains a control character$/],
  ["a tab", "a\tb", /^instanceId contains a control character$/],
  ["an escape", "\u001b[31m", /^instanceId contains a control character$/],
  ["a delete", "a\u007f", /^instanceId contains a control character$/],
  ["a C1 control", "a\u0085b", /^instanceId contains a control character$/],
];

describe.each(transports)("an instance id over $name", ({ serve }) => {
  it.each(refused)("of %s is INVALID_ARGUMENT to every method", async (_what, id, words) => {
    await using world = await openCompat(serve);
    await world.start("witness");
    for (const method of names) {
      const call = () => methods[method]?.(world.client, id) ?? expect.fail(method);
      await world.expectRefused(call, "InvalidArgument", words);
    }
  });

  it("that is empty is INVALID_ARGUMENT to every method but StartInstance", async () => {
    await using world = await openCompat(serve);
    await world.start("witness");
    for (const method of names.slice(1)) {
      const call = () => methods[method]?.(world.client, "") ?? expect.fail(method);
      await world.expectRefused(call, "InvalidArgument", /^instanceId is empty$/);
    }
  });

  it.each(["@counter@a", "@@", "@counter@", "@a@b@c"])(
    "%j, of the form of an entity's, is INVALID_ARGUMENT to StartInstance",
    async (id) => {
      await using world = await openCompat(serve);
      await world.start("witness");
      const call = () => world.start(id);
      await world.expectRefused(call, "InvalidArgument", /^instanceId "@.*" has the form of/);
      expect(await world.status(id)).toBeUndefined();
    },
  );
});
