/** Every guarantee names its tests, and they are there. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { problemOf, testsNamedIn, titlesIn } from "./named-tests.ts";

const page = readFileSync("docs/guarantees.md", "utf8");

/** Those of a single sidecar without authentication. */
const promised = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 19, 20];

/** Heading to what stands below it. */
const sections = new Map(
  page.split(/^## /m).flatMap((part) => {
    const end = part.indexOf("\n");
    return part.startsWith("#") ? [] : [[part.slice(0, end), part.slice(end)] as const];
  }),
);

test("the page has each guarantee once, in order, and then what is not promised", () => {
  const headings = Array.from(page.matchAll(/^## (.+)$/gm), ([, heading]) => heading);
  expect(headings).toEqual([...promised.map((number) => `G${number}`), "Not promised"]);
});

test.each(promised)("G%i says what it promises, how it is kept, and names tests", (number) => {
  const section = sections.get(`G${number}`) ?? "";
  expect(section).toMatch(/^\n+> \S/);
  const files = Array.from(section.matchAll(/`(sidecar\/[^`]+)`/g), ([, file = ""]) => file);
  expect(files.filter((file) => !existsSync(file))).toEqual([]);
  expect(files).not.toEqual([]);
  const bullets = section.split("\n").filter((line) => line.startsWith("- "));
  expect(bullets).not.toEqual([]);
  // A name with a misprint would otherwise be no name at all.
  expect(testsNamedIn(section)).toEqual(bullets.map((line) => line.slice("- `".length, -1)));
});

test("each test that is named exists under exactly that title", () => {
  expect(
    testsNamedIn(page)
      .map(problemOf)
      .filter((problem) => problem !== undefined),
  ).toEqual([]);
});

test("a title is found in whatever way a test is written", () => {
  const source = `
    describe.each([{ at: "(" }])("a group", () => {
      test("a fact", { timeout: 1 }, () => {});
      it.each<[string, () => number]>([["x", () => 1]])("for %s", () => {});
      test.runIf(process.platform === "linux")(
        \`\${many} of them\`,
        () => expect("not a title").toBe(latest("this neither")),
      );
    });`;
  expect(titlesIn(source)).toEqual([
    "a group > a fact",
    "a group > for %s",
    `a group > \${many} of them`,
  ]);
});

test.each([
  `test.skip("a", () => {})`,
  `test.todo("a")`,
  `test("a")`,
  `it.fails("a", () => {})`,
  `it.concurrent.skip("a", () => {})`,
  `test("a", { skip: true }, () => {})`,
  `test("a", { timeout: 1, todo: isLater }, () => {})`,
  `test("a", { fails: true }, () => {})`,
  `test.skip.each([1])("a", () => {})`,
  `test.each([])("a", () => {})`,
  `test.runIf(false)("a", () => {})`,
  `test.skipIf(true)("a", () => {})`,
  `// test("a", () => {})`,
  `/* test("a", () => {}) */`,
  `const text = 'test("a", () => {})';`,
  `describe.skip("a group", () => { test("a", () => {}); });`,
  `describe.todo("a group")`,
  `other.test("a", () => {})`,
])("a test that need not pass is none: %s", (source) => {
  expect(titlesIn(source)).toEqual([]);
});

test("a test is known by all of its groups", () => {
  const source = `
    describe("one", () => describe("two", () => { test("a", () => {}); }));
    test("b", { skip: false }, () => {});`;
  expect(titlesIn(source)).toEqual(["one > two > a", "b"]);
});

test("a test that is not there is noticed", () => {
  const file = "test/docs/guarantees.test.ts";
  expect(problemOf(`${file} > a test that is not there is noticed`)).toBeUndefined();
  expect(problemOf(`${file} > a test that is not`)).toContain("has no");
  expect(problemOf(`${file} > a group > a test that is not`)).toContain("a test that is not");
  expect(problemOf("test/docs/nowhere.test.ts > anything")).toContain("no such file");
});
