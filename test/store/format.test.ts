/** The stored format, byte by byte: what these tests pin down is on people's disks. */
import { expect, test } from "vitest";
import { seal, unseal } from "../../sidecar/store/envelope.ts";
import {
  dueKey,
  garbageKey,
  groupKey,
  hubKey,
  instanceKey,
  logKey,
  readyKey,
  snapshotKey,
} from "../../sidecar/store/ordered/keys.ts";
import { completedKey, heldKey, queryKey } from "../../sidecar/store/ordered/query-keys.ts";
import { timestampOf } from "../support/store-builders.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

test("a sealed value is version, flags, CRC-32 and payload", () => {
  const sealed = seal(Buffer.from("pay"), Buffer.from("load"));
  expect(hex(sealed)).toBe("01002e32b5867061796c6f6164");
  expect(Buffer.from(unseal(sealed, "a value")).toString()).toBe("payload");
});

test("an empty payload can be sealed", () => {
  expect(unseal(seal(), "a value").length).toBe(0);
});

test("a value of an unknown version is refused", () => {
  const sealed = Buffer.from("020073ef707d", "hex");
  expect(() => unseal(sealed, "a value")).toThrow("a value has the unknown version 2");
});

test.each([
  ["group", groupKey(2 ** 32 + 5), "010000000100000005"],
  ["hub", hubKey("dé"), "0264c3a9"],
  ["instance", instanceKey(0x0102n, "a::b"), "030000000000000102613a3a62"],
  ["log", logKey(1n, 2, 3), "040000000000000001000000020000000000000003"],
  ["snapshot", snapshotKey(1n, 2), "05000000000000000100000002"],
  ["ready", readyKey(7n), "060000000000000007"],
  [
    "due",
    dueKey(timestampOf("1970-01-01T00:00:01.5Z"), 9n),
    "070000000e7791f7011dcd65000000000000000009",
  ],
  [
    "query",
    queryKey(3n, "canceled", timestampOf("1970-01-01T00:00:01.5Z"), "a:é"),
    "090000000000000003050000000e7791f7011dcd6500613ac3a9",
  ],
  [
    "completed",
    completedKey(3n, timestampOf("1970-01-01T00:00:01.5Z"), "a:é"),
    "0a00000000000000030000000e7791f7011dcd6500613ac3a9",
  ],
  [
    "held",
    heldKey(3n, { time: timestampOf("1970-01-01T00:00:01.5Z"), number: 9n, name: "é" }),
    "0b00000000000000030000000e7791f7011dcd65000000000000000009c3a9",
  ],
  ["garbage", garbageKey(2n ** 48n - 1n), "080000ffffffffffff"],
])("the key of a %s row keeps its bytes", (_, key, expected) => {
  expect(hex(key)).toBe(expected);
});

test.each([
  ["live", 1],
  ["completed", 2],
  ["failed", 3],
  ["terminated", 4],
  ["canceled", 5],
] as const)("the class %s keeps its byte", (instanceClass, byte) => {
  expect(queryKey(1n, instanceClass, timestampOf("1970-01-01T00:00:00Z"), "a")[9]).toBe(byte);
});
