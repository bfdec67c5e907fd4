/**
 * What each text of a request may be. Every field that holds text has to be here: a new one fails
 * the test until somebody has decided.
 */

/** What is refused of a text with INVALID_ARGUMENT; what is not is taken. */
export interface TextRule {
  /** More bytes than that are refused. Undefined: as long as the message may be. */
  readonly bytesMax?: number;
  /** Longer texts are not malformed, but too large: RESOURCE_EXHAUSTED. */
  readonly isPayload?: boolean;
  readonly refusesEmpty?: boolean;
  /** NUL, line feeds, escapes and the like. */
  readonly refusesControls?: boolean;
  /** Everything but the empty text, unless the sidecar made it. */
  readonly refusesAll?: boolean;
  /** What comes of the form `@name@key`, where that is not an id as others. */
  readonly entities?: "refused" | "taken";
  /** Not looked at, but for its encoding. */
  readonly isOpaque?: boolean;
}

const id: TextRule = { bytesMax: 512, refusesEmpty: true, refusesControls: true };
const entityId: TextRule = { refusesAll: true, refusesEmpty: true, entities: "taken" };
const name: TextRule = { bytesMax: 256, refusesEmpty: true, refusesControls: true };
const label: TextRule = { bytesMax: 256, refusesControls: true };
const idOrNone: TextRule = { bytesMax: 512, refusesControls: true };
const prose: TextRule = { bytesMax: 16 * 1024 };
const payload: TextRule = { bytesMax: 2 * 1024 * 1024, isPayload: true };
const requestId: TextRule = { bytesMax: 128, refusesControls: true };
const pageToken: TextRule = { refusesAll: true };
const resumeToken: TextRule = { bytesMax: 1024 };
const anything: TextRule = {};

/** By message and field, or by method, message and field where methods differ. */
export const textRules: Readonly<Record<string, TextRule>> = {
  "CreateInstanceRequest.instanceId": {
    bytesMax: 512,
    refusesControls: true,
    entities: "refused",
  },
  "CreateInstanceRequest.name": name,
  "CreateInstanceRequest.version": label,
  "CreateInstanceRequest.input": payload,
  "CreateInstanceRequest.executionId": idOrNone,
  "CreateInstanceRequest.tags": { bytesMax: 1024 },
  // Of these it is the message around them that is measured.
  "TraceContext.traceParent": { ...payload, bytesMax: 2 * 1024 * 1024 - 4 },
  "TraceContext.spanID": { ...payload, bytesMax: 2 * 1024 * 1024 - 4 },
  "TraceContext.traceState": { ...payload, bytesMax: 2 * 1024 * 1024 - 8 },
  "GetInstanceRequest.instanceId": id,
  "RaiseEventRequest.instanceId": id,
  "RaiseEventRequest.name": name,
  "RaiseEventRequest.input": payload,
  "TerminateRequest.instanceId": id,
  "TerminateRequest.output": payload,
  "SuspendRequest.instanceId": id,
  "SuspendRequest.reason": prose,
  "ResumeRequest.instanceId": id,
  "ResumeRequest.reason": prose,
  "RewindInstanceRequest.instanceId": id,
  "RewindInstanceRequest.reason": prose,
  "RestartInstanceRequest.instanceId": id,
  "PurgeInstancesRequest.instanceId": id,
  "InstanceQuery.taskHubNames": anything,
  "InstanceQuery.continuationToken": pageToken,
  "InstanceQuery.instanceIdPrefix": idOrNone,
  "ListInstanceIdsRequest.lastInstanceKey": pageToken,
  "InstanceBatch.instanceIds": id,
  "SkipGracefulOrchestrationTerminationsRequest.reason": prose,
  "StreamInstanceHistoryRequest.instanceId": id,
  "StreamInstanceHistoryRequest.executionId": anything,
  "OrchestrationFilter.name": anything,
  "OrchestrationFilter.versions": anything,
  "ActivityFilter.name": anything,
  "ActivityFilter.versions": anything,
  "EntityFilter.name": anything,
  "AbandonActivityTaskRequest.completionToken": anything,
  "AbandonOrchestrationTaskRequest.completionToken": anything,
  "AbandonEntityTaskRequest.completionToken": anything,
  "SignalEntityRequest.instanceId": entityId,
  "SignalEntityRequest.name": name,
  "SignalEntityRequest.input": payload,
  "SignalEntityRequest.requestId": requestId,
  "GetEntityRequest.instanceId": entityId,
  "EntityQuery.instanceIdStartsWith": idOrNone,
  "EntityQuery.continuationToken": pageToken,
  "CleanEntityStorageRequest.continuationToken": anything,
  "taskhub.v1.SuspendInstanceRequest.instance_id": id,
  "taskhub.v1.SuspendInstanceRequest.name": label,
  "taskhub.v1.SuspendInstanceRequest.reason": prose,
  "taskhub.v1.SuspendInstanceRequest.requested_by": label,
  "taskhub.v1.SuspendInstanceRequest.resume_condition": prose,
  "taskhub.v1.SuspendInstanceRequest.request_id": requestId,
  "taskhub.v1.ResumeInstanceRequest.instance_id": id,
  "taskhub.v1.ResumeInstanceRequest.name": label,
  "taskhub.v1.ResumeInstanceRequest.reason": prose,
  "taskhub.v1.ResumeInstanceRequest.requested_by": label,
  "taskhub.v1.ResumeInstanceRequest.request_id": requestId,
  "taskhub.v1.SuspendTaskHubRequest.name": name,
  "taskhub.v1.SuspendTaskHubRequest.reason": prose,
  "taskhub.v1.SuspendTaskHubRequest.requested_by": label,
  "taskhub.v1.SuspendTaskHubRequest.resume_condition": prose,
  "taskhub.v1.SuspendTaskHubRequest.request_id": requestId,
  "taskhub.v1.Selector.names": name,
  "taskhub.v1.Selector.instance_id_prefix": idOrNone,
  "taskhub.v1.Selector.tags": { bytesMax: 1024 },
  "taskhub.v1.Selector.versions": label,
  "taskhub.v1.ResumeTaskHubRequest.name": name,
  "taskhub.v1.ResumeTaskHubRequest.requested_by": label,
  "taskhub.v1.ResumeTaskHubRequest.request_id": requestId,
  "taskhub.v1.GetSuspensionRequest.instance_id": id,
  "taskhub.v1.WaitForQuiescenceRequest.instance_id": id,
  "taskhub.v1.WaitForQuiescenceRequest.window": name,
  "taskhub.v1.TreeHold.instance_id": id,
  "taskhub.v1.TreeHold.name": label,
  "taskhub.v1.ListSuspensionsRequest.name": label,
  "taskhub.v1.ListSuspensionsRequest.reason_contains": prose,
  "taskhub.v1.ListSuspensionsRequest.instance_id_prefix": idOrNone,
  "taskhub.v1.ListSuspensionsRequest.page_token": pageToken,
  "taskhub.v1.RaiseEventRequest.instance_id": id,
  "taskhub.v1.RaiseEventRequest.name": name,
  "taskhub.v1.RaiseEventRequest.input": payload,
  "taskhub.v1.RaiseEventRequest.request_id": requestId,
  "taskhub.v1.TerminateInstanceRequest.instance_id": id,
  "taskhub.v1.TerminateInstanceRequest.output": payload,
  "taskhub.v1.TerminateInstanceRequest.request_id": requestId,
  "taskhub.v1.GetCustomStatusRequest.instance_id": id,
  "taskhub.v1.ListCustomStatusRevisionsRequest.instance_id": id,
  "taskhub.v1.PutCustomStatusSchemaRequest.name": name,
  // None of the texts that are tried is a schema.
  "taskhub.v1.PutCustomStatusSchemaRequest.schema": { refusesAll: true, refusesEmpty: true },
  "taskhub.v1.PutCustomStatusSchemaRequest.request_id": requestId,
  "taskhub.v1.GetCustomStatusSchemaRequest.name": name,
  "taskhub.v1.DeleteCustomStatusSchemaRequest.name": name,
  "taskhub.v1.DeleteCustomStatusSchemaRequest.request_id": requestId,
  "taskhub.v1.WatchInstanceRequest.instance_id": id,
  "taskhub.v1.WatchInstanceRequest.resume_token": resumeToken,
  "taskhub.v1.WatchInstancesRequest.resume_token": resumeToken,
  "taskhub.v1.WaitForInstanceRequest.instance_id": id,
  "taskhub.v1.QueryInstancesRequest.page_token": pageToken,
  "taskhub.v1.CountInstancesRequest.page_token": pageToken,
  "taskhub.v1.ExplainInstanceRequest.instance_id": id,
  "taskhub.v1.InstanceFilter.names": label,
  "taskhub.v1.InstanceFilter.versions": label,
  "taskhub.v1.InstanceFilter.tags": { bytesMax: 1024 },
  "taskhub.v1.InstanceFilter.instance_id_prefix": idOrNone,
  "taskhub.v1.InstanceFilter.parent_instance_id": idOrNone,
  "taskhub.v1.InstanceFilter.hold_name": label,
  // A pointer begins with "/"; the empty one is the whole status.
  "taskhub.v1.CustomStatusCondition.pointer": { refusesAll: true },
  "taskhub.v1.ImportRecordsRequest.import_id": anything,
  "taskhub.v1.FinishImportRequest.import_id": anything,
  "taskhub.v1.AbortImportRequest.import_id": anything,
  "google.protobuf.Value.string_value": anything,
  "grpc.health.v1.HealthCheckRequest.service": anything,
};

/** Keys of maps. */
export const keyRules: Readonly<Record<string, TextRule>> = {
  "CreateInstanceRequest.tags": { bytesMax: 128, refusesEmpty: true, refusesControls: true },
  "taskhub.v1.Selector.tags": { bytesMax: 128, refusesEmpty: true, refusesControls: true },
  "taskhub.v1.InstanceFilter.tags": { bytesMax: 128, refusesEmpty: true, refusesControls: true },
  "google.protobuf.Struct.fields": anything,
};
