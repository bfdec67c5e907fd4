"""Follows the custom status of an order. The program of docs/custom-status.md."""

import sys

import grpc
from durabletask.client import TaskHubGrpcClient
from taskhub.v1.client_service_pb2_grpc import ClientServiceStub
from taskhub.v1.custom_status_pb2 import ListCustomStatusRevisionsRequest
from taskhub.v1.instance_pb2 import InstanceStatus
from taskhub.v1.watch_pb2 import WatchInstanceRequest

address = sys.argv[1]
sdk = TaskHubGrpcClient(host_address=address)
taskhub = ClientServiceStub(grpc.insecure_channel(address))

id = sdk.schedule_new_orchestration("order", input="kettle")

changes = taskhub.WatchInstance(WatchInstanceRequest(instance_id=id))
change = next(c for c in changes if "waiting" in c.instance.custom_status.value)
print(change.instance.custom_status.value)
changes.cancel()

sdk.raise_orchestration_event(id, "Approval", data={"by": "Ann"})
for change in taskhub.WatchInstance(
    WatchInstanceRequest(instance_id=id, resume_token=change.resume_token)
):
    print(InstanceStatus.Name(change.instance.status), change.instance.custom_status.value)

answer = taskhub.ListCustomStatusRevisions(ListCustomStatusRevisionsRequest(instance_id=id))
for revision in answer.revisions:
    print(revision.revision, revision.value)
