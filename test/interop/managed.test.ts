import { expect } from "vitest";
import { cannot, facts, programArea } from "../support/program-area.ts";
import type { ProgramState } from "../support/program-state.ts";

const { scenario } = await programArea("managed", {
  // The registry that publishes the plain package does not have it.
  java: "com.microsoft:durabletask-azuremanaged cannot be had",
  // Its users send the header by themselves.
  go: "it has no managed package",
});

scenario(
  "an orchestration with an activity completes through the managed package",
  facts((state) => expect(state).toMatchObject({ status: "COMPLETED", input: "21", output: "42" })),
);

scenario(
  "the managed package's client sees only the task hub that it names",
  facts((seen) => expect(seen).toEqual({ unseen: null, inputs: ["1", "2"] })),
);

scenario(
  "a worker of the managed package gets nothing of another task hub",
  facts((seen) =>
    expect(seen).toMatchObject({
      completed: { output: "4" },
      refused: "timeout",
      status: "PENDING",
    }),
  ),
);

scenario(
  "the managed package and the plain one work in the same task hub",
  facts<{ ofPlain: ProgramState; seen: ProgramState; ofManaged: ProgramState }>(
    ({ ofPlain, seen, ofManaged }) => {
      expect(ofPlain.output).toBe("8");
      expect(seen).toEqual(ofPlain);
      expect(ofManaged.output).toBe("10");
    },
  ),
);

scenario(
  "the managed package takes an address with its scheme, and needs no TLS then",
  facts<ProgramState>((state) => expect(state.output).toBe("6")),
);

scenario(
  "the managed package takes a connection string without authentication",
  cannot("its client and worker take an address and a task hub"),
);
