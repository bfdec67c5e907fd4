import { expect } from "vitest";
import { cannot, facts, programArea } from "../support/program-area.ts";
import type { ProgramState } from "../support/program-state.ts";

const { scenario } = await programArea("restart", { go: "its client has no restart" });

scenario(
  "a completed orchestration that is restarted under its id runs again with its input",
  facts<{ before: ProgramState; restarted: string; after: ProgramState }>(
    ({ before, restarted, after }) => {
      expect(restarted).toBe(before.instanceId);
      expect(after).toMatchObject({ status: "COMPLETED", input: "21", output: "42" });
      expect(after.createdAt).not.toBe(before.createdAt);
    },
  ),
);

scenario(
  "a restart under a new id leaves a running orchestration as it is",
  facts<{ ids: string[]; copy: ProgramState; status: string }>(({ ids, copy, status }) => {
    expect(new Set(ids).size).toBe(2);
    expect(copy.output).toBe("1");
    expect(status).toBe("RUNNING");
  }),
);

scenario(
  "a restarted orchestration has the tags and the version of its source",
  facts((seen) => expect(seen).toEqual({ output: '"2.1"', tags: { team: "blue" } })),
  { java: cannot("its client starts again without them") },
);

const refusedWith = (code: string) =>
  facts((refusals) => expect(refusals).toMatchObject([{ code }, { code }]));

/** The SDK makes errors of its own of the statuses. */
const refusedInWords = (words: RegExp) =>
  facts((refusals) => {
    const refusal = { details: expect.stringMatching(words) };
    expect(refusals).toEqual([refusal, refusal]);
  });

scenario(
  "a running or suspended orchestration is not restarted under its id",
  refusedWith("FAILED_PRECONDITION"),
  {
    javascript: refusedInWords(/cannot be restarted/),
    // Its client does not ask for a restart: it reads the instance, and starts it again.
    java: refusedWith("ALREADY_EXISTS"),
  },
);

scenario("restarting an unknown instance is refused", refusedWith("NOT_FOUND"), {
  javascript: refusedInWords(/not found/),
  java: facts((message) => expect(message).toMatch(/not found/)),
});
