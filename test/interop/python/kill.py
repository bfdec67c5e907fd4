"""The workload of the kill test (test/fault/kill/workload.ts), and a client for its drivers."""

from datetime import datetime, timedelta, timezone

import grpc
from durabletask.task import when_all

from area import Area
from gates import PATIENCE

area = Area()


@area.activity
def mix(_, value):
    return (value * 31 + 7) % 1_000_003


@area.orchestrator
def chain(context, given):
    result = given["value"]
    for _ in range(given["length"]):
        result = yield context.call_activity(mix, input=result)
    return result


@area.orchestrator_named("fanOut")
def fan_out(context, given):
    value, width = given["value"], given["width"]
    tasks = [context.call_activity(mix, input=value + i) for i in range(width)]
    return sum((yield when_all(tasks)))


@area.orchestrator
def nap(context, given):
    yield context.create_timer(timedelta(milliseconds=given["napMs"]))
    result = yield context.call_activity(mix, input=given["value"])
    yield context.create_timer(timedelta(milliseconds=given["napMs"]))
    return result


@area.orchestrator
def family(context, given):
    value = given["value"]
    children = [
        context.call_sub_orchestrator("chain", input={"value": value, "length": 2}),
        context.call_sub_orchestrator("chain", input={"value": value + 1, "length": 3}),
    ]
    first = yield when_all(children)
    last = yield context.call_sub_orchestrator("fanOut", input={"value": value, "width": 3})
    return sum(first) + last


@area.orchestrator
def generations(context, given):
    following = yield context.call_activity(mix, input=given["value"])
    if given["left"] > 1:
        context.continue_as_new({"value": following, "left": given["left"] - 1}, save_events=True)
    return following


@area.orchestrator
def inbox(context, _):
    """Collects the marks of its events in one generation."""
    marks = []
    while True:
        item = yield context.wait_for_external_event("item")
        marks.append(item["mark"])
        if item["last"]:
            return marks


@area.orchestrator
def storm(context, given):
    """Collects the marks of its events, with a generation for each of them."""
    item = yield context.wait_for_external_event("item")
    marks = [*given["marks"], item["mark"]]
    if not item["last"]:
        context.continue_as_new({"marks": marks}, save_events=True)
    return marks


@area.orchestrator
def guardian(context, given):
    """Waits for a child that waits for ever, until both are terminated."""
    yield context.call_sub_orchestrator("inbox", instance_id=given["childId"])


def call(run):
    """A command that answers with what the client returns, or with the code of its refusal."""

    def told(hub, *arguments):
        try:
            return {"answer": run(hub, *arguments)}
        except grpc.RpcError as error:
            return {"code": error.code().value[0], "details": error.details()}

    area.scenario(run.__name__)(told)
    return told


@call
def start(hub, orchestrator, given, instance_id, starts_in_ms):
    start_at = datetime.now(timezone.utc) + timedelta(milliseconds=starts_in_ms)
    options = {"start_at": start_at} if starts_in_ms else {}
    return hub.start(orchestrator, given, instance_id=instance_id, **options)


@call
def state(hub, instance_id):
    return facts(hub.client.get_orchestration_state(instance_id))


@call
def started(hub, instance_id):
    return facts(hub.client.wait_for_orchestration_start(instance_id, timeout=PATIENCE))


@call
def completed(hub, instance_id):
    return facts(hub.client.wait_for_orchestration_completion(instance_id, timeout=PATIENCE))


@call
def raise_event(hub, instance_id, name, data):
    hub.event(instance_id, name, data)


@call
def suspend(hub, instance_id):
    hub.client.suspend_orchestration(instance_id)


@call
def resume(hub, instance_id):
    hub.client.resume_orchestration(instance_id)


@call
def terminate(hub, instance_id, output, recursive):
    hub.client.terminate_orchestration(instance_id, output=output, recursive=recursive)


@call
def history(hub, instance_id):
    return hub.history(instance_id)


def facts(state):
    """The SDK's state under the names that the drivers know."""
    if state is None:
        return None
    return {
        "instanceId": state.instance_id,
        "name": state.name,
        "runtimeStatus": state.runtime_status.value,
        "serializedInput": state.serialized_input,
        "serializedOutput": state.serialized_output,
        "serializedCustomStatus": state.serialized_custom_status,
        "failure": state.failure_details and state.failure_details.message,
        "createdAt": state.created_at.isoformat(),
        "lastUpdatedAt": state.last_updated_at.isoformat(),
    }
