import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalText, pageTokens } from "../../sidecar/rpc/page-token.ts";
import { InstanceFilterSchema } from "../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";

const refused = expect.objectContaining({ code: "invalid-argument" });
const tokens = pageTokens("hub", "instances", "filter");
const place = { time: timestampFromMs(1_234), number: 7n, text: "id" };

describe("a page token", () => {
  it("leads back to its place, whatever that is", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_000 }),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.string({ unit: "grapheme", maxLength: 100 }),
        (ms, number, text) => {
          const given = { time: timestampFromMs(ms), number, text };
          expect(tokens.open(tokens.seal(given))).toEqual(given);
        },
      ),
    );
  });

  it("is the empty text where there is no place", () => {
    expect(tokens.seal(undefined)).toBe("");
    expect(tokens.open("")).toBeUndefined();
  });

  it("has room for the longest instance id", () => {
    const text = "é".repeat(256);
    expect(tokens.open(tokens.seal({ ...place, text }))?.text).toBe(text);
  });

  it("is the same after a restart", () => {
    const restarted = pageTokens("hub", "instances", "filter");
    expect(restarted.open(tokens.seal(place))).toEqual(place);
  });

  it.each([
    ["another hub", pageTokens("other", "instances", "filter")],
    ["another method", pageTokens("hub", "count", "filter")],
    ["another filter", pageTokens("hub", "instances", "filter2")],
    ["parts that are cut elsewhere", pageTokens("hub", "instance", "sfilter")],
  ])("of %s is refused", (_, other) => {
    expect(() => other.open(tokens.seal(place))).toThrow(refused);
  });

  it("is refused with any of its characters changed, cut short or continued", () => {
    const token = tokens.seal(place);
    for (let at = 0; at < token.length; at += 1) {
      const changed = token[at] === "A" ? "B" : "A";
      const forged = `${token.slice(0, at)}${changed}${token.slice(at + 1)}`;
      expect(() => tokens.open(forged), forged).toThrow(refused);
      expect(() => tokens.open(token.slice(0, at) || "A")).toThrow(refused);
    }
    for (const more of ["A", "AAAA", "=", "\n", " "]) {
      expect(() => tokens.open(token + more)).toThrow(refused);
    }
  });

  it("is refused when it is any other text", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 2_000 }), (text) => {
        expect(() => tokens.open(text)).toThrow(refused);
      }),
    );
    expect(() => tokens.open("A".repeat(10_000_000))).toThrow(refused);
  });
});

describe("the text of a filter", () => {
  const text = (tags: Record<string, string>) =>
    canonicalText(InstanceFilterSchema, create(InstanceFilterSchema, { tags }));

  it("is the same in whatever order its tags came", () => {
    expect(text({ a: "1", b: "2", c: "3" })).toBe(text({ c: "3", a: "1", b: "2" }));
  });

  it("tells filters apart", () => {
    const all = [{}, { a: "" }, { a: "1" }, { b: "1" }, { a: "1", b: "" }];
    const odd = Object.fromEntries([["__proto__", "1"]]);
    const texts = [...all, odd].map(text);
    expect(new Set(texts).size).toBe(texts.length);
  });
});
