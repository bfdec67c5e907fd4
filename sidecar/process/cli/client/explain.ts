import { toJson } from "@bufbuild/protobuf";
import {
  ExplainInstanceResponseSchema,
  type Reason,
  ReasonKindSchema,
} from "../../../wire/gen/taskhub/v1/insight_pb.ts";
import { EXIT } from "../../exit-codes.ts";
import { escapeControls } from "../../safe-text.ts";
import type { ClientWork } from "./context.ts";
import { operand } from "./operands.ts";
import { outputStyle, printDocument } from "./output.ts";
import { type Column, painted, TableWriter } from "./table.ts";
import { showTime } from "./times.ts";
import { enumWord } from "./words.ts";

/** Why an instance is where it is, in the words of the server. */
export const explain: ClientWork<object> = async (context, _flags, operands) => {
  const instanceId = operand(operands, 0, "the instance id");
  const answer = await context.v1.explainInstance({ instanceId }, context.quick);
  printDocument(context, toJson(ExplainInstanceResponseSchema, answer), () => {
    const style = outputStyle(context);
    const summary = painted(escapeControls(answer.summary), "bold", style.colours);
    // Whoever asks why wants to read it to its end, however wide that is.
    const unfitted = { ...style, width: undefined };
    const reasons = new TableWriter(reasonColumns).lines(answer.reasons, unfitted);
    return reasons === "" ? `${summary}\n` : `${summary}\n\n${reasons}`;
  });
  return EXIT.ok;
};

const reasonColumns: readonly Column<Reason>[] = [
  { title: "REASON", cell: ({ kind }) => enumWord(ReasonKindSchema, kind) },
  { title: "SINCE", cell: ({ since }) => showTime(since) },
  { title: "UNTIL", cell: ({ until }) => showTime(until) },
  { title: "IN WORDS", cell: ({ text }) => text },
];
