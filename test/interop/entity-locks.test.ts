import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { facts, programArea, steps } from "../support/program-area.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const { scenario } = await programArea("entity-locks", {
  java: "it has no entities",
  go: "it has no entities",
});

scenario(
  "a lock outlasts the end of its sidecar",
  steps(async ({ start, taskHub }) => {
    await using directory = await temporaryDirectory();
    const options = { dataDirectory: directory.path };
    const [to, gate] = [`@account@${randomUUID()}`, randomUUID()];
    const before = await startSidecar(options);
    const { address } = before;
    await using program = start("entity-locks", address, taskHub);
    const holder = await program.ask("begin", to, gate);
    await before.kill();
    await using _after = await startSidecar({ ...options, listen: [address] });
    const outputs = await program.ask("finish", holder, to, gate);
    expect(outputs).toEqual([[{ result: 1 }], [{ result: 11 }]]);
    await program.kill();
  }),
);

scenario(
  "what others send to a locked entity waits for the end of the critical section",
  facts((seen) => expect(seen).toEqual({ output: [{ result: 1 }], called: [30] })),
);

scenario(
  "a locked entity shows the instance id of its holder",
  facts<{ holder: string }>(({ holder, ...seen }) =>
    expect(seen).toMatchObject({
      locked: { lockedBy: holder, backlog: 1, state: "there" },
      afterwards: ["later", "later"],
      unlocked: { lockedBy: null },
    }),
  ),
);

scenario(
  "an orchestration locks three entities at once, and one that it names twice once",
  facts((seen) =>
    expect(seen).toEqual({
      lockedByIt: [true, true, true],
      afterwards: ["there", "there", "there"],
    }),
  ),
);

scenario(
  "orchestrations that lock the same two entities in either order all get them, one after the other",
  facts((seen) =>
    expect(seen).toEqual({ outputs: Array.from({ length: 8 }, () => "done"), afterwards: [8, 8] }),
  ),
);

scenario(
  "an orchestration that fails in its critical section frees its entities",
  facts((seen) => expect(seen).toEqual({ status: "FAILED", afterwards: [1, 1] })),
);

scenario(
  "an orchestration that is terminated in its critical section frees its entities",
  facts((results) => expect(results).toEqual([1, 1])),
);

scenario(
  "an orchestration that continues as new in its critical section frees its entities",
  facts((outcomes) => expect(outcomes).toEqual([{ result: 2 }, { result: 2 }])),
);

scenario(
  "an orchestration that is terminated before its lock is granted is not given it",
  facts((results) => expect(results).toEqual([1])),
);

scenario(
  "releasing a lock twice frees no entity of anybody else",
  facts((outputs) => expect(outputs).toEqual([[], [{ result: 1 }]])),
);

scenario(
  "a critical section whose call fails goes on and is left",
  facts((seen) =>
    expect(seen).toMatchObject({
      outcomes: [{ failed: { message: expect.stringContaining("out of range") } }, { result: 1 }],
      afterwards: [1],
    }),
  ),
);
