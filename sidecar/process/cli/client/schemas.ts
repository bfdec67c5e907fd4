/** Contracts of the custom status. */
import { toJson } from "@bufbuild/protobuf";
import {
  type CustomStatusSchema,
  CustomStatusSchemaSchema,
  DeleteCustomStatusSchemaResponseSchema,
  SchemaMode,
  SchemaModeSchema,
} from "../../../wire/gen/taskhub/v1/custom_status_pb.ts";
import { EXIT, ExitError } from "../../exit-codes.ts";
import { escapeControls } from "../../safe-text.ts";
import type { ClientContext, ClientWork } from "./context.ts";
import { jsonArgument, operand } from "./operands.ts";
import { jsonText, Listing, outputStyle, printDocument } from "./output.ts";
import { type Column, TableWriter } from "./table.ts";
import { showTime } from "./times.ts";
import { enumWord } from "./words.ts";

export interface SchemaPutFlags {
  readonly warn?: boolean;
}

export const schemaPut: ClientWork<SchemaPutFlags> = async (context, { warn }, operands) => {
  const { v1, quick, surroundings } = context;
  const name = operand(operands, 0, "the name of the orchestrator");
  const file = operand(operands, 1, "the file");
  const schema = (await jsonArgument(`@${file}`, file, surroundings.workingDirectory)) ?? "";
  const mode = warn ? SchemaMode.WARN : SchemaMode.REJECT;
  const answer = await v1.putCustomStatusSchema({ name, schema, mode }, quick);
  if (answer.schema !== undefined) printSchema(context, answer.schema, false);
  return EXIT.ok;
};

export const schemaGet: ClientWork<object> = async (context, _flags, operands) => {
  const name = operand(operands, 0, "the name of the orchestrator");
  const { schema } = await context.v1.getCustomStatusSchema({ name }, context.quick);
  if (schema !== undefined) printSchema(context, schema, true);
  return EXIT.ok;
};

export const schemaList: ClientWork<object> = async (context) => {
  const { schemas } = await context.v1.listCustomStatusSchemas({}, context.quick);
  const listing = new Listing(context, {
    json: (schema: CustomStatusSchema) => toJson(CustomStatusSchemaSchema, schema),
    columns: schemaColumns,
  });
  for (const schema of schemas) listing.add(schema);
  listing.end();
  return EXIT.ok;
};

export const schemaDelete: ClientWork<object> = async (context, _flags, operands) => {
  const name = operand(operands, 0, "the name of the orchestrator");
  const answer = await context.v1.deleteCustomStatusSchema({ name }, context.quick);
  if (!answer.deleted) {
    throw new ExitError(EXIT.notFound, `${JSON.stringify(name)} has no schema`);
  }
  printDocument(
    context,
    toJson(DeleteCustomStatusSchemaResponseSchema, answer),
    () => `deleted the schema of ${escapeControls(name)}\n`,
  );
  return EXIT.ok;
};

/** @param text whether people are shown the schema itself, as it can be put again */
function printSchema(context: ClientContext, schema: CustomStatusSchema, text: boolean): void {
  printDocument(context, toJson(CustomStatusSchemaSchema, schema), () =>
    text
      ? `${jsonText(JSON.parse(schema.schema), 2)}\n`
      : new TableWriter(schemaColumns).lines([schema], outputStyle(context)),
  );
}

const schemaColumns: readonly Column<CustomStatusSchema>[] = [
  { title: "NAME", cell: ({ name }) => name, whole: true },
  { title: "MODE", cell: ({ mode }) => enumWord(SchemaModeSchema, mode) },
  { title: "UPDATED", cell: ({ updatedAt }) => showTime(updatedAt) },
  { title: "BYTES", cell: ({ schema }) => `${Buffer.byteLength(schema)}` },
];
