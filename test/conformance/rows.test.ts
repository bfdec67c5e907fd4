/** The suite is complete: each row of the protocol and each trap has a check, or a test elsewhere. */
import { describe, expect, it } from "vitest";
import { problemOf } from "../docs/named-tests.ts";
import { ALL_CHECKS } from "./all-checks.ts";
import { readElsewhere, readRows } from "./rows.ts";

const rows = readRows();
const elsewhere = readElsewhere();
const ids = new Set(ALL_CHECKS.map(({ id }) => id));

/** The sections of the protocol that a service is measured by. */
const SECTIONS = [
  ...["2.1", "2.2", "2.3", "3.1", "3.2", "3.3", "3.4", "3.5", "4.1", "4.2", "4.3", "4.4", "4.5"],
  ...["4.6", "4.7", "4.8", "4.9", "4.10", "4.11", "4.12", "4.13", "4.14", "5", "6.1", "6.2", "6.3"],
  ...["6.4", "6.5", "6.6", "6.7", "6.8", "6.9", "7"],
];
const TRAPS = Array.from({ length: 46 }, (_, at) => `T${at + 1}`);

describe("the rows of the protocol", () => {
  it("are of all its sections from 2 to 7", () => {
    const sections = new Set(rows.map(({ section }) => section));
    expect([...sections].toSorted()).toEqual(SECTIONS.toSorted());
  });

  it("each have a check, and name no other", () => {
    const wrong = rows.filter(
      ({ checks }) => checks.length === 0 || checks.some((id) => !ids.has(id)),
    );
    expect(wrong).toEqual([]);
  });

  it("name each check of those sections", () => {
    const named = new Set(rows.flatMap(({ checks }) => checks));
    const isOfRows = (id: string) => /^[2-7]/.test(id);
    expect([...ids].filter((id) => isOfRows(id) && !named.has(id))).toEqual([]);
  });
});

describe("what cannot be checked from an address", () => {
  it("is of a section, and says why", () => {
    const wrong = elsewhere.filter(
      ({ section, because }) => !SECTIONS.includes(section) || because === "",
    );
    expect(wrong).toEqual([]);
  });

  it("has a test elsewhere, which is there", () => {
    expect(elsewhere.filter(({ tests }) => tests.length === 0)).toEqual([]);
    const problems = elsewhere.flatMap(({ tests }) => tests.map(problemOf));
    expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
  });
});

describe("the traps", () => {
  const checked = new Set(ALL_CHECKS.flatMap(({ traps = [] }) => traps));
  const tested = new Set(elsewhere.flatMap(({ traps = [] }) => traps));

  it("are each covered by a check, or by a test elsewhere", () => {
    expect(TRAPS.filter((trap) => !checked.has(trap) && !tested.has(trap))).toEqual([]);
  });

  it("are those that there are", () => {
    expect([...checked, ...tested].filter((trap) => !TRAPS.includes(trap))).toEqual([]);
  });

  it("that only slow checks cover have a test elsewhere as well", () => {
    const quick = new Set(
      ALL_CHECKS.filter(({ slow }) => !slow).flatMap(({ traps = [] }) => traps),
    );
    expect(TRAPS.filter((trap) => !quick.has(trap) && !tested.has(trap))).toEqual([]);
  });
});
