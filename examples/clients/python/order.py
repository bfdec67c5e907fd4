"""An order on the published durabletask worker; taskhub.v1 watches it and holds it meanwhile."""

import sys
from datetime import timedelta

import grpc
from durabletask.client import TaskHubGrpcClient
from durabletask.worker import TaskHubGrpcWorker
from taskhub.v1.client_service_pb2_grpc import ClientServiceStub
from taskhub.v1.custom_status_pb2 import GetCustomStatusRequest
from taskhub.v1.suspension_pb2 import ResumeInstanceRequest, SuspendInstanceRequest
from taskhub.v1.watch_pb2 import WatchInstanceRequest


def order(context, item):
    context.set_custom_status("waiting for approval")
    approval = yield context.wait_for_external_event("Approval")
    return f"{item}, approved by {approval['by']}"


address, hub = sys.argv[1], [("taskhub", "orders")]
with TaskHubGrpcWorker(host_address=address, metadata=hub) as worker:
    worker.add_orchestrator(order)
    worker.start()
    client = TaskHubGrpcClient(host_address=address, metadata=hub)
    id = client.schedule_new_orchestration(order, input="kettle")
    stub = ClientServiceStub(grpc.insecure_channel(address))
    changes = stub.WatchInstance(WatchInstanceRequest(instance_id=id), metadata=hub)
    print(next(c.instance.custom_status.value for c in changes if c.instance.custom_status.value))
    hold = dict(instance_id=id, name="lunch", reason="back soon", expires_after=timedelta(hours=1))
    stub.SuspendInstance(SuspendInstanceRequest(**hold), metadata=hub)
    print(next(f"held: {c.instance.holds[0].reason}" for c in changes if c.instance.holds))
    client.raise_orchestration_event(id, "Approval", data={"by": "Ann"})
    print(stub.GetCustomStatus(GetCustomStatusRequest(instance_id=id), metadata=hub).custom_status)
    stub.ResumeInstance(ResumeInstanceRequest(instance_id=id, name="lunch"), metadata=hub)
    print(client.wait_for_orchestration_completion(id).serialized_output)
