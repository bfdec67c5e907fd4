/** The tests of each SDK cover the list of scenarios, or state why the SDK cannot. */
import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { listedScenarios } from "../../scripts/interop-results.ts";

const here = new URL("./", import.meta.url);

/** The first argument of whatever makes a test here, also of what `test.for(rows)` returns. */
const titles =
  /(?:\btest(?:\.concurrent)?|\btestFor|\bscenario(?:<[^(]*?>)?|\bcannot|\))\(\s*"([^"]+)"/g;

const areas = listedScenarios();
const files = (await readdir(here)).flatMap((name) => {
  const parts = /^([a-z]+)-([a-z-]+)\.test\.ts$/.exec(name);
  return parts === null ? [] : [{ name, language: parts[1] ?? "", area: parts[2] ?? "" }];
});
const languages = new Set(files.map(({ language }) => language));

test("scenarios are listed once", () => {
  const names = [...areas.values()].flat();
  expect(names.length).toBeGreaterThan(100);
  expect(names).toEqual([...new Set(names)]);
});

test("there are the languages that this list is for", () => {
  expect([...languages]).toEqual(expect.arrayContaining(["javascript", "java", "python"]));
});

test.for([...languages].map((language) => ({ language })))(
  "each scenario is a test in $language or states why it cannot be one, and each test is listed",
  async ({ language }) => {
    const covered = files.filter((file) => file.language === language);
    expect(covered.map(({ area }) => area).toSorted()).toEqual([...areas.keys()].toSorted());
    for (const { name, area } of covered) {
      const source = await readFile(new URL(name, here), "utf8");
      const found = [...source.matchAll(titles)].map(([, title]) => title);
      expect({ name, found: found.toSorted() }).toEqual({
        name,
        found: areas.get(area)?.toSorted(),
      });
    }
  },
);
