"""Holds an order until its papers are there. The program of docs/suspend-resume.md."""

import sys
from datetime import timedelta

import grpc
from durabletask.client import TaskHubGrpcClient
from taskhub.v1.client_service_pb2_grpc import ClientServiceStub
from taskhub.v1.control_pb2 import RaiseEventRequest
from taskhub.v1.suspension_pb2 import (
    GetSuspensionRequest,
    QuiescenceOutcome,
    ResumeInstanceRequest,
    SuspendInstanceRequest,
    WaitForQuiescenceRequest,
)

address = sys.argv[1]
sdk = TaskHubGrpcClient(host_address=address)
taskhub = ClientServiceStub(grpc.insecure_channel(address))

id = sdk.schedule_new_orchestration("order", input="kettle")

answer = taskhub.SuspendInstance(
    SuspendInstanceRequest(
        instance_id=id,
        name="audit",
        reason="papers are missing",
        requested_by="ann",
        expires_after=timedelta(hours=2),
    )
)
print(answer.placed, answer.hold.name, answer.hold.reason)

still = taskhub.WaitForQuiescence(WaitForQuiescenceRequest(instance_id=id))
print(QuiescenceOutcome.Name(still.outcome))

taskhub.RaiseEvent(RaiseEventRequest(instance_id=id, name="Approval", input='{"by":"Ann"}'))
print(taskhub.GetSuspension(GetSuspensionRequest(instance_id=id)).buffered_events.count)

taskhub.ResumeInstance(ResumeInstanceRequest(instance_id=id, name="audit"))
print(sdk.wait_for_orchestration_completion(id).serialized_output)
