import { expect, test } from "vitest";
import { newClient, newWorker } from "../support/javascript-sdk.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { audit } from "./kill/audit.ts";
import { Driver } from "./kill/driver.ts";
import { Ledger } from "./kill/ledger.ts";
import { Random } from "./kill/random.ts";
import { Victim } from "./kill/victim.ts";
import { register } from "./kill/workload.ts";

const KILLS = 25;
const CLIENTS = 4;
const DRIVERS_OF_A_CLIENT = 5;
const WORKERS = 2;

test("25 kills lose nothing that was acknowledged and do nothing twice", {
  timeout: 300_000,
}, async () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`SEED=${seed}`);
  const random = new Random(seed);
  await using directory = await temporaryDirectory();
  await using victim = await Victim.start(directory.path);
  const { port } = victim;
  const ledger = new Ledger();
  const workers = Array.from({ length: WORKERS }, () => newWorker({ port }));
  for (const worker of workers) {
    register(worker);
    await worker.start();
  }
  const clients = Array.from({ length: CLIENTS }, () => newClient({ port }));

  const end = new AbortController();
  const drivers = clients.flatMap((client, i) =>
    Array.from({ length: DRIVERS_OF_A_CLIENT }, (_, j) => {
      const part = i * DRIVERS_OF_A_CLIENT + j;
      const name = `driver${part}`;
      return new Driver({ name, client, ledger, random: random.fork(part), victim });
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
  const client = newClient({ port });
  const audited = await audit(client, ledger);
  console.log(`${ledger.lines().length} acknowledgements of ${audited} orchestrations`);
  await Promise.all([client, ...clients, ...workers].map((it) => it.stop()));
  expect(await victim.stop()).toEqual({ end: 0, complaints: [] });
});

/** The moments are numbers of acknowledgements: what is under way then matters, not the time. */
async function killAgainAndAgain(victim: Victim, ledger: Ledger, random: Random): Promise<void> {
  for (let kill = 0; kill < KILLS; kill += 1) {
    // Some come at once, while the sidecar recovers from the one before.
    await ledger.grownBy(
      random.oneOf([0, random.between(1, 40), random.between(1, 40), random.between(1, 40)]),
    );
    await victim.kill();
  }
}
