import { toJson } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { parseCondition } from "../../../sidecar/process/cli/client/conditions.ts";
import { CustomStatusConditionSchema } from "../../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";

function conditionIn(text: string): unknown {
  return toJson(CustomStatusConditionSchema, parseCondition(text));
}

test.each([
  ["/progress/percent >= 50", "/progress/percent", "GREATER_OR_EQUAL", 50],
  ["/progress/percent>=50", "/progress/percent", "GREATER_OR_EQUAL", 50],
  ["  /n  <  -1.5 ", "/n", "LESS", -1.5],
  ["/n<=0", "/n", "LESS_OR_EQUAL", 0],
  ["/n > 0", "/n", "GREATER", 0],
  ["/phase = baking", "/phase", "EQUAL", "baking"],
  ['/phase == "50"', "/phase", "EQUAL", "50"],
  ["/phase != null", "/phase", "NOT_EQUAL", null],
  ["/done = true", "/done", "EQUAL", true],
  ["/list = [1, {}]", "/list", "EQUAL", [1, {}]],
  ['"/a b" = 5', "/a b", "EQUAL", 5],
  ['"/a>=b" = 5', "/a>=b", "EQUAL", 5],
  ['"" = "done"', undefined, "EQUAL", "done"],
  ["/text = two words", "/text", "EQUAL", "two words"],
])("%s compares", (text, pointer, comparison, value) => {
  expect(conditionIn(text)).toEqual({
    ...(pointer === undefined ? {} : { pointer }),
    comparison: `COMPARISON_${comparison}`,
    value,
  });
});

test.each([
  ["/error", "EXISTS"],
  ["/error exists", "EXISTS"],
  ["/error missing", "NOT_EXISTS"],
])("%s asks whether there is a value", (text, comparison) => {
  expect(conditionIn(text)).toEqual({ pointer: "/error", comparison: `COMPARISON_${comparison}` });
});

test.each(["", "percent > 5", "/n >", "/n => 5", "/n is 5", '"n" = 5', '"\\x" = 1', "> 5"])(
  "%j is no condition",
  (text) => {
    expect(() => parseCondition(text)).toThrow(`--where: ${JSON.stringify(text)} is not`);
  },
);
