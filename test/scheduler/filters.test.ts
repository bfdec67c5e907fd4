/** Which work a stream accepts. */
import { describe, expect, it } from "vitest";
import { openHub, type StartOptions } from "../support/scheduler-harness.ts";
import type { WorkerOptions } from "../support/worker.ts";
import { continueAsNew, scheduleTask, startChild } from "../support/worker-actions.ts";

type Filters = WorkerOptions["filters"];

const cases: readonly {
  readonly what: string;
  readonly filters: Filters;
  readonly start?: StartOptions;
  readonly accepted: boolean;
}[] = [
  { what: "no filters accept everything", filters: undefined, accepted: true },
  { what: "filters that list nothing accept nothing", filters: {}, accepted: false },
  {
    what: "a listed name is accepted",
    filters: { orchestrations: [{ name: "Main" }] },
    accepted: true,
  },
  {
    what: "another name is not accepted",
    filters: { orchestrations: [{ name: "Other" }] },
    accepted: false,
  },
  {
    what: "a name in another case is accepted when no exact one is listed",
    filters: { orchestrations: [{ name: "mAIN" }] },
    accepted: true,
  },
  {
    what: "the exact name decides when it is listed beside one in another case",
    filters: { orchestrations: [{ name: "Main", versions: ["2"] }, { name: "MAIN" }] },
    accepted: false,
  },
  {
    what: "an empty list of versions accepts any version",
    filters: { orchestrations: [{ name: "Main", versions: [] }] },
    start: { version: "7" },
    accepted: true,
  },
  {
    what: "a listed version is accepted",
    filters: { orchestrations: [{ name: "Main", versions: ["1", "2"] }] },
    start: { version: "2" },
    accepted: true,
  },
  {
    what: "another version is not accepted",
    filters: { orchestrations: [{ name: "Main", versions: ["1"] }] },
    start: { version: "2" },
    accepted: false,
  },
  {
    what: "versioned filters do not accept unversioned work",
    filters: { orchestrations: [{ name: "Main", versions: ["1"] }] },
    accepted: false,
  },
  {
    what: "the empty version stands for unversioned work",
    filters: { orchestrations: [{ name: "Main", versions: [""] }] },
    accepted: true,
  },
  {
    what: "an empty version is unversioned work",
    filters: { orchestrations: [{ name: "Main", versions: [""] }] },
    start: { version: "" },
    accepted: true,
  },
  {
    what: "the versions of several filters of one name add up",
    filters: {
      orchestrations: [
        { name: "Main", versions: ["1"] },
        { name: "Main", versions: ["2"] },
      ],
    },
    start: { version: "2" },
    accepted: true,
  },
];

describe("filters of turns:", () => {
  it.each(cases)("$what", async ({ filters, start, accepted }) => {
    await using hub = await openHub();
    const worker = hub.worker({ filters });
    await hub.start("a", start);
    expect(await worker.waiting()).toEqual(accepted ? ["turn a"] : []);
  });
});

describe("the version that decides", () => {
  it("is that of the current generation", async () => {
    await using hub = await openHub();
    const of = (version: string) =>
      hub.worker({ filters: { orchestrations: [{ name: "Main", versions: [version] }] } });
    const [one, two] = [of("1"), of("2")];
    await hub.start("a", { version: "1" });
    const again = continueAsNew("input");
    if (again.orchestratorActionType.case === "completeOrchestration") {
      again.orchestratorActionType.value.newVersion = "2";
    }
    await one.complete(await one.turn("a"), [again]);
    expect(await one.waiting()).toEqual([]);
    expect(await two.waiting()).toEqual(["turn a"]);
  });
});

describe("filters of activities:", () => {
  it("a list of the other kind says nothing about activities", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ filters: { orchestrations: [{ name: "Main" }] } });
    await hub.start("a");
    await worker.complete(await worker.turn(), [scheduleTask(1)]);
    expect(await worker.waiting()).toEqual([]);
  });

  it("name and version decide", async () => {
    await using hub = await openHub();
    const orchestrations = [{ name: "Main" }];
    const activities = [{ name: "Work", versions: ["2"] }];
    const worker = hub.worker({ filters: { orchestrations, activities } });
    await hub.start("a");
    await worker.complete(await worker.turn(), [
      scheduleTask(1, "Work", { version: "1" }),
      scheduleTask(2, "Work", { version: "2" }),
      scheduleTask(3, "Work"),
      scheduleTask(4, "Other", { version: "2" }),
    ]);
    expect(await worker.waiting()).toEqual(["activity a 2"]);
  });
});

describe("filters of activities take", () => {
  it("a name in another case, and unversioned work for the empty version", async () => {
    await using hub = await openHub();
    const orchestrations = [{ name: "Main" }];
    const activities = [{ name: "wORK", versions: [""] }];
    const worker = hub.worker({ filters: { orchestrations, activities } });
    await hub.start("a");
    await worker.complete(await worker.turn(), [
      scheduleTask(1, "Work", { version: "1" }),
      scheduleTask(2, "Work", { version: "" }),
      scheduleTask(3, "WORK"),
    ]);
    expect(await worker.waiting()).toEqual(["activity a 2", "activity a 3"]);
  });
});

describe("an activity without a version", () => {
  it.each([undefined, ""])("is of the version of its orchestration (%j)", async (version) => {
    await using hub = await openHub();
    const of = (accepted: string) =>
      hub.worker({
        filters: {
          orchestrations: [{ name: "Main", versions: [accepted] }],
          activities: [{ name: "Work", versions: [accepted] }],
        },
      });
    const [own, other] = [of("3.0.0"), of("2.0.0")];
    await hub.start("a", { version: "3.0.0" });
    const work = scheduleTask(1, "Work", version === undefined ? {} : { version });
    await own.complete(await own.turn(), [work, scheduleTask(2, "Work", { version: "2.0.0" })]);
    expect(await own.waiting()).toEqual(["activity a 1"]);
    expect(await other.waiting()).toEqual(["activity a 2"]);
  });
});

describe("a child", () => {
  it("is accepted by its own version, not by that of its parent", async () => {
    await using hub = await openHub();
    const of = (name: string, version: string) =>
      hub.worker({ filters: { orchestrations: [{ name, versions: [version] }] } });
    const [parents, same, own, none] = [of("Main", "1"), of("C", "1"), of("C", "2"), of("C", "")];
    await hub.start("p", { version: "1" });
    const [versioned, unversioned] = [startChild(1, "c", "C"), startChild(2, "d", "C")];
    if (versioned.orchestratorActionType.case === "createSubOrchestration") {
      versioned.orchestratorActionType.value.version = "2";
    }
    await parents.complete(await parents.turn("p"), [versioned, unversioned]);
    expect(await same.waiting()).toEqual([]);
    expect(await own.waiting()).toEqual(["turn c"]);
    expect(await none.waiting()).toEqual(["turn d"]);
  });
});

describe("what nobody accepts", () => {
  it("does not hold up what is behind it", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ filters: { orchestrations: [{ name: "Main" }] } });
    for (const id of ["x", "y"]) await hub.start(id, { name: "Unknown" });
    await hub.start("a");
    await hub.start("z", { version: "9", name: "Unknown" });
    await hub.start("b");
    expect(await worker.waiting()).toEqual(["turn a", "turn b"]);
  });

  it("is handed out when a stream comes that accepts it", async () => {
    await using hub = await openHub();
    const picky = hub.worker({ filters: { orchestrations: [{ name: "Main" }] } });
    await hub.start("x", { name: "Unknown" });
    expect(await picky.waiting()).toEqual([]);
    expect(await hub.status("x")).toBe("PENDING");
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual(["turn x"]);
  });

  it("does not hold up activities that one turn scheduled with it", async () => {
    await using hub = await openHub();
    const filters = { orchestrations: [{ name: "Main" }], activities: [{ name: "Known" }] };
    const worker = hub.worker({ filters });
    await hub.start("a");
    await worker.complete(await worker.turn(), [
      scheduleTask(1, "Unknown"),
      scheduleTask(2, "Known"),
    ]);
    expect(await worker.waiting()).toEqual(["activity a 2"]);
  });
});
