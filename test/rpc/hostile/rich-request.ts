/** Random fields of a request, valid as protobuf and rarely sensible. */
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { Random } from "./damage.ts";
import { oddTexts } from "./hostile-texts.ts";
import { isWrapped, valueKindOf } from "./request-fields.ts";
import { doubleField, lengthDelimited, varintField } from "./wire.ts";

const DEPTH_MAX = 5;

/** Some fields of a message, in their order. */
export function richRequest(message: DescMessage, random: Random, depth = 0): Buffer {
  const parts: Buffer[] = [];
  for (const field of message.fields) {
    const share = depth === 0 ? 0.5 : 0.3;
    if (depth < DEPTH_MAX && random.chance(share)) parts.push(fieldOf(field, random, depth));
  }
  return Buffer.concat(parts);
}

function fieldOf(field: DescField, random: Random, depth: number): Buffer {
  const { number } = field;
  if (field.fieldKind === "map") {
    const value = field.message && richRequest(field.message, random, depth + 1);
    const entry = [lengthDelimited(1, textOf(random)), lengthDelimited(2, value ?? textOf(random))];
    return lengthDelimited(number, Buffer.concat(entry));
  }
  const wrapped = isWrapped(field);
  const own = wrapped ? 1 : number;
  const value = fieldValue(field, own, random, depth);
  return wrapped ? lengthDelimited(number, value) : value;
}

function fieldValue(field: DescField, own: number, random: Random, depth: number): Buffer {
  switch (valueKindOf(field)) {
    case "text":
    case "bytes":
      return lengthDelimited(own, textOf(random));
    case "integer":
      return varintField(own, random.pick([-1, 0, 1, 2, 100, 2 ** 31 - 1, -(2 ** 31)]));
    case "number":
      return doubleField(own, random.pick([0, 1, -1, 0.5, NaN, Infinity, 1e308]));
    case "boolean":
      return varintField(own, random.below(2));
    case "enum":
      return varintField(own, random.pick([0, 1, 2, 3, 4, 99, -1]));
    default: {
      const { message } = field;
      if (message === undefined) throw new Error(`${field} is no message`);
      if (!/(Timestamp|Duration)$/.test(message.typeName)) {
        return lengthDelimited(own, richRequest(message, random, depth + 1));
      }
      const seconds = varintField(1, random.pick([0, 1, -1, 3_600, 1_800_000_000, 2 ** 52]));
      const nanos = varintField(2, random.pick([0, 1, -1, 999_999_999, 1_000_000_000]));
      return lengthDelimited(own, Buffer.concat([seconds, nanos]));
    }
  }
}

function textOf(random: Random): Buffer {
  return Buffer.from(random.pick(["live", "done", "Main", "night", "", "a\u0000", ...oddTexts]));
}
