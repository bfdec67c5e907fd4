import { describe, expect, it } from "vitest";
import { taskHubName } from "../../sidecar/rpc/call-metadata.ts";

describe("the metadata value taskhub", () => {
  it("names the default hub by its absence", () => {
    expect(taskHubName([])).toBe("default");
  });

  it.each(["a", "orders/2 eu", "~".repeat(128)])("may be %j", (name) => {
    expect(taskHubName([name])).toBe(name);
  });

  it.each([
    ["given twice", ["a", "a"]],
    ["given twice and joined by HTTP/2", ["a, a"]],
    ["empty", [""]],
    ["too long", ["h".repeat(129)]],
    ["with a tab", ["a\tb"]],
    ["with a NUL", ["a\0b"]],
    ["with a DEL", ["a\x7fb"]],
    ["not ASCII", ["caf\u00e9"]],
    ["bytes", [Buffer.from("a")]],
  ])("is refused %s", (_how, values) => {
    expect(() => taskHubName(values)).toThrow(
      expect.objectContaining({ name: "HubError", code: "invalid-argument" }),
    );
  });
});
