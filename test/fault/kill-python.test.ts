/** The kill test with workers and clients of the published Python SDK. */
import { expect, test } from "vitest";
import { findPython, PythonProgram } from "../support/python-program.ts";
import { rig } from "../support/rig.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { audit } from "./kill/audit.ts";
import { Driver } from "./kill/driver.ts";
import { Ledger } from "./kill/ledger.ts";
import { Random } from "./kill/random.ts";
import { Victim } from "./kill/victim.ts";
import { pythonClient } from "./kill-python/client.ts";

const DRIVERS_OF_A_PROGRAM = 10;
const it = rig("T-KILL-PYTHON");
const kills = it.count(10, 100);
const python = await findPython();

test.runIf(python !== undefined)(
  "kills under load of the Python SDK lose nothing that was acknowledged and do nothing twice",
  { timeout: 60_000 + kills * 10_000 },
  async () => {
    if (python === undefined) return;
    const random = new Random(it.seed);
    await using directory = await temporaryDirectory();
    await using victim = await Victim.start(async (failed) => {
      if (failed !== undefined) throw failed;
      return { dataDirectory: directory.path };
    });
    const address = `127.0.0.1:${victim.port}`;
    const ledger = new Ledger();
    // Each is a worker and a client.
    await using one = new PythonProgram(python, "kill", address);
    await using other = new PythonProgram(python, "kill", address);
    const end = new AbortController();
    const drivers = [one, other].flatMap((program, i) =>
      Array.from({ length: DRIVERS_OF_A_PROGRAM }, (_, j) => {
        const part = i * DRIVERS_OF_A_PROGRAM + j;
        const client = pythonClient(program);
        return new Driver({
          name: `driver${part}`,
          client,
          ledger,
          random: random.fork(part),
          victim,
        });
      }),
    );
    const driving = Promise.all(drivers.map((driver) => driver.run(end.signal)));
    const killing = killAgainAndAgain(victim, ledger, random.fork(-2));
    // Whichever fails first is what went wrong.
    await Promise.race([killing, driving]);
    end.abort();
    victim.spare();
    await driving;

    // What is on disk counts, not what the last process remembers.
    await victim.kill();
    const orchestrations = await audit(pythonClient(one), ledger);
    await one[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
    expect(await victim.stop()).toEqual({ end: 0, complaints: [] });
    const acknowledgements = ledger.lines().length;
    expect(orchestrations).toBeGreaterThan(0);
    it.report({ kills, acknowledgements, orchestrations });
  },
);

/** The moments are numbers of acknowledgements: what is under way then matters, not the time. */
async function killAgainAndAgain(victim: Victim, ledger: Ledger, random: Random): Promise<void> {
  for (let kill = 0; kill < kills; kill += 1) {
    // Some come at once, while the sidecar recovers from the one before.
    await ledger.grownBy(
      random.oneOf([0, random.between(1, 40), random.between(1, 40), random.between(1, 40)]),
    );
    await victim.kill();
  }
}
