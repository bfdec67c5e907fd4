"""What scenarios work with: a client and gates, and facts in JSON about what they have seen."""

import json
import logging
import uuid

import grpc
from durabletask import task
from durabletask.client import TaskHubGrpcClient
from durabletask.grpc_options import GrpcChannelOptions, GrpcWorkerResiliencyOptions
from durabletask.worker import ConcurrencyOptions, TaskHubGrpcWorker

from gates import PATIENCE, Gates

# How long something that must not happen is waited for, in seconds.
NEVER = 0.3

_logger = logging.Logger("durabletask", logging.WARNING)
_logger.addHandler(logging.StreamHandler())

_channel_options = GrpcChannelOptions(
    raw_options=[
        # A connection for each client and worker: gRPC would let those of equal options share one.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.initial_reconnect_backoff_ms", 50),
        ("grpc.max_reconnect_backoff_ms", 200),
        # A call before the sidecar listens waits for it.
        (
            "grpc.service_config",
            json.dumps({"methodConfig": [{"name": [{}], "waitForReady": True}]}),
        ),
    ],
    # Payloads and histories of more than the 4 MiB that gRPC takes if nothing is said.
    max_receive_message_length=-1,
)


def new_client(address, task_hub=None, **options):
    return TaskHubGrpcClient(**_common(address, task_hub), **options)


def new_worker(address, task_hub=None, **options):
    return TaskHubGrpcWorker(
        **_common(address, task_hub),
        resiliency_options=GrpcWorkerResiliencyOptions(
            reconnect_backoff_base_seconds=0.05, reconnect_backoff_cap_seconds=0.2
        ),
        # An activity that waits at a gate keeps a thread.
        concurrency_options=ConcurrencyOptions(maximum_thread_pool_workers=48),
        **options,
    )


def _common(address, task_hub):
    return {
        "host_address": address,
        "metadata": None if task_hub is None else [("taskhub", task_hub)],
        "channel_options": _channel_options,
        "logger": _logger,
    }


def new_id(name):
    """An instance id that no other scenario uses."""
    return f"{name}-{uuid.uuid4()}"


class Hub:
    def __init__(self, address, task_hub=None, **options):
        self.address = address
        self.task_hub = task_hub
        self.client = new_client(address, task_hub, **options)
        self.gates = Gates()

    def start(self, orchestrator, given=None, *, instance_id=None, **options):
        name = orchestrator if isinstance(orchestrator, str) else task.get_name(orchestrator)
        return self.client.schedule_new_orchestration(
            orchestrator, input=given, instance_id=instance_id or new_id(name), **options
        )

    def start_and_wait(self, orchestrator, given=None, **options):
        """Starts an orchestration and waits for the end of its first turn."""
        instance_id = self.start(orchestrator, given, **options)
        self.started(instance_id)
        return instance_id

    def started(self, instance_id, **options):
        return facts(
            self.client.wait_for_orchestration_start(instance_id, timeout=PATIENCE, **options)
        )

    def completed(self, instance_id, timeout=PATIENCE):
        return facts(
            self.client.wait_for_orchestration_completion(instance_id, timeout=timeout)
        )

    def run(self, orchestrator, given=None, **options):
        """Starts an orchestration and waits for its end."""
        return self.completed(self.start(orchestrator, given, **options))

    def output_of(self, orchestrator, given=None, **options):
        """Runs an orchestration that must complete."""
        return self.output_of_started(self.start(orchestrator, given, **options))

    def output_of_started(self, instance_id):
        """Waits for the end of an orchestration that must complete."""
        state = self.completed(instance_id)
        if state["status"] != "COMPLETED":
            raise AssertionError(f"it has not completed: {state}")
        return None if state["output"] is None else json.loads(state["output"])

    def event(self, instance_id, name, data=None):
        self.client.raise_orchestration_event(instance_id, name, data=data)

    def state(self, instance_id, **options):
        return facts(self.client.get_orchestration_state(instance_id, **options))

    def status(self, instance_id):
        return self.state(instance_id)["status"]

    def history(self, instance_id):
        return [
            {"type": type(event).__name__.removesuffix("Event"), **event.to_dict()}
            for event in self.client.get_orchestration_history(instance_id)
        ]

    def types(self, instance_id):
        return [event["type"] for event in self.history(instance_id)]

    def does_not_complete(self, instance_id, seconds=NEVER):
        """Waits a little for something that does not happen."""
        return refusal(lambda: self.completed(instance_id, timeout=seconds)) == "timeout"


def facts(state):
    """An orchestration's state as the SDK gives it, or null."""
    if state is None:
        return None
    failure = state.failure_details
    return {
        "instanceId": state.instance_id,
        "name": state.name,
        "status": state.runtime_status.name,
        "input": state.serialized_input,
        "output": state.serialized_output,
        "customStatus": state.serialized_custom_status,
        "failure": failure and {"type": failure.error_type, "message": failure.message},
        "createdAt": state.created_at.isoformat(),
        "lastUpdatedAt": state.last_updated_at.isoformat(),
    }


def refusal(call):
    """How a call that must fail has failed: by a status of gRPC, or as the SDK's patience ended."""
    try:
        call()
    except TimeoutError:
        return "timeout"
    except grpc.RpcError as error:
        return {"code": error.code().name, "details": error.details()}
    raise AssertionError("it was not refused")
