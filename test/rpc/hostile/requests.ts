/** A valid request for every method of every service, and what is particular about its fields. */
import type { DescField, DescMethod } from "@bufbuild/protobuf";
import { fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { CustomStatusConditionSchema } from "../../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import { TreeHoldSchema } from "../../../sidecar/wire/gen/taskhub/v1/suspension_pb.ts";
import type { Expected } from "./hostile-case.ts";
import type { FieldRules } from "./hostile-values.ts";
import type { RequestField } from "./request-fields.ts";
import { keyRules, textRules } from "./text-rules.ts";

/** What a test does with a method: calls it on top of this request, or looks that it is not there. */
export type Plan = { readonly request: JsonValue } | "not served";

const live = { instanceId: "live" };
const done = { instanceId: "done" };

/** By `Service/Method`. A method that is not here fails the test. */
export const plans: Readonly<Record<string, Plan>> = {
  "TaskHubSidecarService/Hello": { request: {} },
  "TaskHubSidecarService/StartInstance": { request: { name: "Main" } },
  "TaskHubSidecarService/GetInstance": { request: live },
  "TaskHubSidecarService/RewindInstance": { request: done },
  "TaskHubSidecarService/RestartInstance": { request: done },
  "TaskHubSidecarService/WaitForInstanceStart": { request: done },
  "TaskHubSidecarService/WaitForInstanceCompletion": { request: done },
  "TaskHubSidecarService/RaiseEvent": { request: { ...done, name: "E" } },
  "TaskHubSidecarService/TerminateInstance": { request: done },
  "TaskHubSidecarService/SuspendInstance": { request: live },
  "TaskHubSidecarService/ResumeInstance": { request: live },
  "TaskHubSidecarService/QueryInstances": { request: {} },
  "TaskHubSidecarService/ListInstanceIds": { request: {} },
  "TaskHubSidecarService/PurgeInstances": { request: live },
  "TaskHubSidecarService/GetWorkItems": {
    request: { workItemFilters: { orchestrations: [{ name: "Nobody" }] } },
  },
  "TaskHubSidecarService/CompleteActivityTask": { request: { completionToken: "stale" } },
  "TaskHubSidecarService/CompleteOrchestratorTask": { request: { completionToken: "stale" } },
  "TaskHubSidecarService/CompleteEntityTask": { request: { completionToken: "stale" } },
  "TaskHubSidecarService/StreamInstanceHistory": { request: done },
  "TaskHubSidecarService/CreateTaskHub": { request: {} },
  "TaskHubSidecarService/DeleteTaskHub": { request: {} },
  "TaskHubSidecarService/SignalEntity": { request: { instanceId: "@counter@1", name: "add" } },
  "TaskHubSidecarService/GetEntity": { request: { instanceId: "@counter@1" } },
  "TaskHubSidecarService/QueryEntities": { request: {} },
  "TaskHubSidecarService/CleanEntityStorage": { request: {} },
  "TaskHubSidecarService/AbandonTaskActivityWorkItem": { request: {} },
  "TaskHubSidecarService/AbandonTaskOrchestratorWorkItem": { request: {} },
  "TaskHubSidecarService/AbandonTaskEntityWorkItem": { request: {} },
  "TaskHubSidecarService/SkipGracefulOrchestrationTerminations": {
    request: { instanceBatch: { instanceIds: ["done"] } },
  },
  "taskhub.v1.ClientService/SuspendInstance": { request: live },
  "taskhub.v1.ClientService/ResumeInstance": { request: { ...live, scope: "HOLD_SCOPE_TREE" } },
  "taskhub.v1.ClientService/GetSuspension": { request: live },
  "taskhub.v1.ClientService/WaitForQuiescence": { request: done },
  "taskhub.v1.ClientService/ListSuspensions": { request: {} },
  "taskhub.v1.ClientService/SuspendTaskHub": { request: { name: "night" } },
  "taskhub.v1.ClientService/ResumeTaskHub": { request: { name: "night" } },
  "taskhub.v1.ClientService/RaiseEvent": { request: { ...live, name: "E" } },
  "taskhub.v1.ClientService/TerminateInstance": { request: done },
  "taskhub.v1.ClientService/GetCustomStatus": { request: live },
  "taskhub.v1.ClientService/ListCustomStatusRevisions": { request: live },
  "taskhub.v1.ClientService/PutCustomStatusSchema": { request: { name: "N", schema: "{}" } },
  "taskhub.v1.ClientService/GetCustomStatusSchema": { request: { name: "N" } },
  "taskhub.v1.ClientService/ListCustomStatusSchemas": { request: {} },
  "taskhub.v1.ClientService/DeleteCustomStatusSchema": { request: { name: "N" } },
  "taskhub.v1.ClientService/WatchInstance": { request: done },
  "taskhub.v1.ClientService/WatchInstances": { request: {} },
  "taskhub.v1.ClientService/WaitForInstance": { request: { ...done, timeout: "0s" } },
  "taskhub.v1.ClientService/QueryInstances": { request: {} },
  "taskhub.v1.ClientService/CountInstances": { request: {} },
  "taskhub.v1.ClientService/ExplainInstance": { request: live },
  "taskhub.v1.ClientService/ListWorkers": { request: {} },
  "taskhub.v1.ClientService/GetTaskHub": { request: {} },
  "taskhub.v1.AdminService/ExportTaskHub": { request: {} },
  "taskhub.v1.AdminService/BeginImport": { request: {} },
  "taskhub.v1.AdminService/ImportRecords": { request: { importId: "none", partNumber: "1" } },
  "taskhub.v1.AdminService/FinishImport": { request: { importId: "none" } },
  "taskhub.v1.AdminService/AbortImport": { request: { importId: "none" } },
  "grpc.health.v1.Health/Check": { request: {} },
  "grpc.health.v1.Health/List": { request: {} },
  "grpc.health.v1.Health/Watch": { request: {} },
  "grpc.reflection.v1.ServerReflection/ServerReflectionInfo": { request: { listServices: "" } },
  "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": {
    request: { listServices: "" },
  },
};

/** Methods that write when they take their request. All others change nothing, whatever they are told. */
export const changing: readonly string[] = [
  "TaskHubSidecarService/StartInstance",
  "TaskHubSidecarService/RestartInstance",
  "TaskHubSidecarService/SuspendInstance",
  "TaskHubSidecarService/PurgeInstances",
  "TaskHubSidecarService/CreateTaskHub",
  "TaskHubSidecarService/SignalEntity",
  "taskhub.v1.ClientService/SuspendInstance",
  "taskhub.v1.ClientService/ResumeInstance",
  "taskhub.v1.ClientService/SuspendTaskHub",
  "taskhub.v1.ClientService/RaiseEvent",
  "taskhub.v1.ClientService/PutCustomStatusSchema",
  "taskhub.v1.ClientService/DeleteCustomStatusSchema",
];

/** Methods that look at their request only as far as they need it, and refuse nothing that is a message. */
const takingAnything = [
  "TaskHubSidecarService/CompleteActivityTask",
  "TaskHubSidecarService/CompleteOrchestratorTask",
  "TaskHubSidecarService/CompleteEntityTask",
  "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/** Values that mean nothing to the sidecar, or mean "as usual" when it does not know them. */
const takingAnyValue = [
  "CreateInstanceRequest.requestTime",
  "EntityQuery.pageSize",
  "GetWorkItemsRequest.capabilities",
  "InstanceQuery.maxInstanceCount",
  "ListInstanceIdsRequest.pageSize",
  "OrchestrationIdReusePolicy.replaceableStatus",
  "OrchestrationIdReusePolicy.legacyAction",
  "SignalEntityRequest.requestTime",
  "google.protobuf.Value.null_value",
];

const refusingHuge = ["taskhub.v1.Pace.canaries", "taskhub.v1.Pace.instances_per_second"];

/** 100,001 elements; INVALID_ARGUMENT where nothing is said. */
const manyElements: Readonly<Record<string, Expected>> = {
  "OrchestrationIdReusePolicy.replaceableStatus": "taken",
  "InstanceQuery.taskHubNames": "taken",
  "taskhub.v1.CountInstancesRequest.group_by": "taken",
  "google.protobuf.ListValue.values": "refused or taken",
  "google.protobuf.Struct.fields": "refused or taken",
};

/** Fields whose presence alone decides, whatever is in them. */
const whatever: Readonly<Record<string, Expected>> = {
  // Not together with the rest of the request.
  "taskhub.v1.ResumeInstanceRequest.all_holds": "refused or taken",
  "taskhub.v1.ResumeTaskHubRequest.all_holds": "refused or taken",
  "taskhub.v1.WatchInstances/InstanceFilter.custom_status": "refused",
  "taskhub.v1.WatchInstances/InstanceFilter.held_longer_than": "refused",
  // A key without a value means nothing.
  "google.protobuf.Struct.fields": "refused or taken",
};

const condition = toBinary(
  CustomStatusConditionSchema,
  fromJson(CustomStatusConditionSchema, {
    pointer: "/a",
    comparison: "COMPARISON_EQUAL",
    value: 1,
  }),
);

const tree = toBinary(TreeHoldSchema, fromJson(TreeHoldSchema, { ...done, name: "night" }));

const elementBases: Readonly<Record<string, Uint8Array>> = {
  [CustomStatusConditionSchema.typeName]: condition,
  [TreeHoldSchema.typeName]: tree,
};
const noBytes = new Uint8Array();

export function methodKey({ parent, name }: DescMethod): string {
  return `${parent.typeName}/${name}`;
}

export function fieldKey({ parent, name }: DescField): string {
  return `${parent.typeName}.${name}`;
}

/** A field in one method, where methods differ. */
export function keyInMethod({ parent, name }: DescMethod, field: DescField): string {
  return `${parent.typeName.replace(/\w+$/, "")}${name}/${field.parent.name}.${field.name}`;
}

/** Every method and field that the tables say something of. */
export function namedInTables(): string[] {
  const ofFields = [textRules, keyRules, manyElements, whatever].flatMap(Object.keys);
  return [...ofFields, ...takingAnyValue, ...refusingHuge, ...takingAnything, ...changing];
}

/** What holds for a field of a method. Undefined texts: nobody has decided. */
export function rulesOf(method: DescMethod, { field }: RequestField): FieldRules {
  const key = fieldKey(field);
  const takesAnything = takingAnything.includes(methodKey(method));
  return {
    text: takesAnything ? { isOpaque: true } : textRules[key],
    key: takesAnything ? { isOpaque: true } : keyRules[key],
    takesAnyValue: takesAnything || takingAnyValue.includes(key),
    takesHuge: !refusingHuge.includes(key) || takesAnything,
    manyElements: takesAnything ? "taken" : (manyElements[key] ?? manyOf(method)),
    elementBase: ({ message }) => elementBases[message?.typeName ?? ""] ?? noBytes,
  };
}

/** Workers are not told how often they may say what they accept. */
function manyOf({ name }: DescMethod): Expected {
  return name === "GetWorkItems" ? "taken" : "refused";
}

/** What comes of a request in which this field is, if that does not depend on its value. */
export function whateverIn(method: DescMethod, at: RequestField): Expected | undefined {
  for (const field of [...at.path, at.field]) {
    const expected = whatever[fieldKey(field)] ?? whatever[keyInMethod(method, field)];
    if (expected !== undefined) return expected;
  }
  return undefined;
}
