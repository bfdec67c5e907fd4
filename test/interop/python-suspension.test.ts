/** The published Python SDK, held and let go by its own client and through `taskhub.v1`. */
import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import { expect } from "vitest";
import { ClientService } from "../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { QuiescenceOutcome } from "../../sidecar/wire/gen/taskhub/v1/suspension_pb.ts";
import { testWith } from "../clients/toolchain.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { holdWays } from "../support/hold-ways.ts";
import { PythonProgram, pythonEnvironment } from "../support/python-program.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const testPython = await testWith("python3 -c 'import ensurepip, venv'");
const folder = fileURLToPath(new URL("python/", import.meta.url));

testPython(
  "held by the SDK's client, an instance, a tree or a window, events and an activity's result wait; it continues as new twice and has the right result",
  async () => {
    await using environment = await pythonEnvironment(`${folder}requirements.txt`);
    await using directory = await temporaryDirectory();
    await using sidecar = await startSidecar({ dataDirectory: directory.path });
    using transport = new GrpcTransport({ host: "127.0.0.1", port: sidecar.port });
    const v1 = createClient(ClientService, transport);
    await using program = new PythonProgram(environment, [
      `${folder}suspension.py`,
      sidecar.address,
    ]);
    const ofTheSdk = {
      way: "the SDK's client",
      shows: true,
      place: (_v1: typeof v1, instanceId: string) => program.ask("suspend", instanceId),
      release: (_v1: typeof v1, instanceId: string) => program.ask("resume", instanceId),
    };

    for (const [number, { way, shows, place, release }] of [ofTheSdk, ...holdWays].entries()) {
      const instanceId = `order-${number}`;
      const gates = ["first", "second", "third"].map((gate) => `${instanceId} ${gate}`);
      await program.ask("start", instanceId, gates);
      for (const [generation, gate] of gates.slice(0, 2).entries()) {
        await program.ask("reached", gate);
        await place(v1, instanceId);
        const status = await program.ask("status", instanceId);
        expect({ way, status }).toEqual({ way, status: shows ? "SUSPENDED" : "RUNNING" });
        await program.ask("raise", instanceId, `item ${generation}`);
        await program.ask("open", gate);
        const target = { case: "instanceId", value: instanceId } as const;
        const { outcome } = await v1.waitForQuiescence({ target });
        expect(outcome).toBe(QuiescenceOutcome.QUIESCENT);
        const held = await v1.getSuspension({ instanceId });
        expect({ turn: held.turnHeldBack, events: held.bufferedEvents?.count }).toEqual({
          turn: true,
          events: 1,
        });
        const { customStatus } = await v1.getCustomStatus({ instanceId });
        expect({ revision: customStatus?.revision, value: customStatus?.value }).toEqual({
          revision: BigInt(generation + 1),
          value: `{"items": ${2 * generation}}`,
        });
        await release(v1, instanceId);
      }
      const [, , last = ""] = gates;
      await program.ask("reached", last);
      await program.ask("open", last);
      await program.ask("raise", instanceId, "item 2");
      expect(await program.ask("result", instanceId)).toEqual(
        gates.flatMap((gate, generation) => [gate, `item ${generation}`]),
      );
    }
  },
);
