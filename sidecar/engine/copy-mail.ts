import { create } from "@bufbuild/protobuf";
import { assert } from "../foundation/assert.ts";
import {
  EntityAnswerSchema,
  EntityOperationMailSchema,
  type Mail,
  MailSchema,
  StartChildSchema,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { copyEvent } from "../wire/history-event.ts";
import { copyOperation } from "./entity/entity-state.ts";

/** The same mail for another entry: where its event stands in one means nothing in another. */
export function copyMail({ number, targetInstanceId, body }: Mail): Mail {
  return create(MailSchema, { number, targetInstanceId, body: copyBody(body) });
}

/** Only what an entity sends: what carries no event is never changed. */
function copyBody(body: Mail["body"]): Mail["body"] {
  switch (body.case) {
    case "entityAnswer": {
      const { event } = body.value;
      assert(event !== undefined, "an answer has its event");
      const value = create(EntityAnswerSchema, { ...body.value, event: copyEvent(event) });
      return { case: body.case, value };
    }
    case "entityOperation": {
      const { operation } = body.value;
      assert(operation !== undefined, "mail with an operation has it");
      const copy = { ...body.value, operation: copyOperation(operation) };
      return { case: body.case, value: create(EntityOperationMailSchema, copy) };
    }
    case "startChild": {
      const { started } = body.value;
      assert(started !== undefined, "mail that starts an orchestration has its ExecutionStarted");
      const value = create(StartChildSchema, { ...body.value, started: copyEvent(started) });
      return { case: body.case, value };
    }
    default:
      return body;
  }
}
