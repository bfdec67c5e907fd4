import { expect, test } from "vitest";
import {
  type Column,
  displayWidth,
  fieldLines,
  TableWriter,
  truncated,
} from "../../../sidecar/process/cli/client/table.ts";

interface Row {
  readonly id: string;
  readonly text: string;
}

const columns: readonly Column<Row>[] = [
  { title: "ID", cell: ({ id }) => id, whole: true },
  { title: "TEXT", cell: ({ text }) => text },
];

const plain = { width: undefined, colours: false };

test("columns are aligned, and nothing stands behind the last one", () => {
  const rows = [
    { id: "a", text: "first" },
    { id: "漢字", text: "" },
    { id: "abcdef", text: "third" },
  ];
  expect(new TableWriter(columns).lines(rows, plain)).toBe(
    ["ID      TEXT", "a       first", "漢字", "abcdef  third", ""].join("\n"),
  );
});

test("a second page goes on without titles, and not narrower", () => {
  const table = new TableWriter(columns);
  table.lines([{ id: "abcdef", text: "x" }], plain);
  expect(table.lines([{ id: "b", text: "y" }], plain)).toBe("b       y\n");
  expect(table.lines([], plain)).toBe("");
});

test("without a terminal nothing is cut off", () => {
  const long = "x".repeat(500);
  expect(new TableWriter(columns).lines([{ id: "a", text: long }], plain)).toContain(long);
});

test("on a terminal every line fits, and what people copy is cut last", () => {
  const rows = [{ id: "order-0123456789", text: "y".repeat(80) }];
  const fitted = new TableWriter(columns).lines(rows, { width: 30, colours: false });
  expect(fitted).toBe(`ID                TEXT\norder-0123456789  ${"y".repeat(11)}…\n`);
  const narrow = new TableWriter(columns).lines(rows, { width: 20, colours: false });
  for (const line of narrow.split("\n")) expect(displayWidth(line)).toBeLessThanOrEqual(20);
});

test("a hostile text cannot break a line, colour it or turn it around", () => {
  const rows = [{ id: "\u001b[31mred\u001b[0m", text: "a\nb\u202e\u009b2J" }];
  const lines = new TableWriter(columns).lines(rows, { width: 200, colours: false });
  expect(lines.split("\n")[1]).toBe("\\u001b[31mred\\u001b[0m  a\\nb\\u202e\\u009b2J");
  expect(fieldLines([["id", rows[0]?.id ?? ""]], plain)).toBe("id:  \\u001b[31mred\\u001b[0m\n");
});

test("colours are there where they are wanted, and take no room", () => {
  const painted: readonly Column<Row>[] = [
    { title: "ID", cell: ({ id }) => ({ text: id, paint: "red" }) },
    { title: "TEXT", cell: ({ text }) => text },
  ];
  const [, line] = new TableWriter(painted)
    .lines([{ id: "a", text: "b" }], { width: 80, colours: true })
    .split("\n");
  expect(line).toBe("\u001b[31ma\u001b[39m   b");
});

test("fields without a value are left out", () => {
  expect(
    fieldLines(
      [
        ["id", "a"],
        ["reason", ""],
        ["custom status", "50 %"],
      ],
      plain,
    ),
  ).toBe("id:             a\ncustom status:  50 %\n");
});

test.each([
  ["abc", 3, "abc"],
  ["abcd", 3, "ab…"],
  ["漢字漢", 4, "漢…"],
  ["👩‍🚀👩‍🚀", 3, "👩‍🚀…"],
])("%s in %d columns is %s", (text, width, shown) => {
  expect(truncated(text, width)).toBe(shown);
});
