import fc from "fast-check";
import { expect, test } from "vitest";
import { logKey } from "../../sidecar/store/ordered/keys.ts";
import { middleOf } from "../../sidecar/store/ordered/middle-key.ts";

const key = fc.uint8Array({ minLength: 0, maxLength: 40 });

test("the middle of a range lies within it, and halving comes to an end", () => {
  fc.assert(
    fc.property(key, key, (one, other) => {
      const [from, to] = Buffer.compare(one, other) < 0 ? [one, other] : [other, one];
      let upper: Uint8Array = to;
      let halvings = 0;
      for (let at = middleOf({ from, to }); at !== undefined; at = middleOf({ from, to: upper })) {
        expect(Buffer.compare(from, at)).toBeLessThan(0);
        expect(Buffer.compare(at, upper)).toBeLessThanOrEqual(0);
        upper = at;
        halvings += 1;
      }
      expect(halvings).toBeLessThanOrEqual(8 * 32);
    }),
  );
});

test("the middle of a range of logs is a log in its middle", () => {
  const middle = middleOf({ from: logKey(100n, 0, 0), to: logKey(200n, 0, 0) });
  expect(middle).toHaveLength(32);
  expect(Buffer.compare(logKey(150n, 0, 0), middle?.subarray(0, 21) ?? Buffer.of())).toBe(0);
});
