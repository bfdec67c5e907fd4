"""What payloads become on their way, and how big they may be."""

from area import Area
from hub import refusal

area = Area()
MEBIBYTE = 1024 * 1024


@area.activity
def echo(_, given):
    return given


@area.activity
def repeat(_, count):
    return "x" * count


@area.orchestrator
def echoes(_, given):
    return given


@area.orchestrator
def echoes_by_activity(context, given):
    return (yield context.call_activity(echo, input=given))


@area.orchestrator
def echoes_by_child(context, given):
    return (yield context.call_sub_orchestrator(echoes, input=given))


@area.orchestrator
def echoes_event(context, _):
    return (yield context.wait_for_external_event("payload"))


@area.orchestrator
def length_of(context, count):
    return len((yield context.call_activity(repeat, input=count)))


@area.orchestrator
def holds_many_results(context, count):
    length = 0
    for _ in range(count):
        length += len((yield context.call_activity(repeat, input=MEBIBYTE)))
    return length


ECHOES = [echoes, echoes_by_activity, echoes_by_child]


@area.command
def pass_through_all(hub, value):
    return [hub.run(orchestrator, value) for orchestrator in ECHOES]


@area.command
def pass_through_event(hub, value):
    instance_id = hub.start(echoes_event)
    hub.event(instance_id, "payload", value)
    return hub.completed(instance_id)


@area.scenario("no value is an empty input and no output")
def _(hub):
    return hub.run(echoes)


@area.scenario("no value comes back from an activity and a child as no value")
def _(hub):
    return [hub.run(echoes_by_activity), hub.run(echoes_by_child)]


@area.scenario("a mebibyte passes through inputs, activities, children and outputs")
def _(hub):
    # In the SDK's JSON each letter outside of ASCII has six bytes.
    value = "ä" * (MEBIBYTE // 6)
    return [hub.output_of(orchestrator, value) == value for orchestrator in ECHOES]


@area.scenario("a mebibyte passes through an event")
def _(hub):
    value = "e" * MEBIBYTE
    instance_id = hub.start(echoes_event)
    hub.event(instance_id, "payload", value)
    return hub.completed(instance_id)["output"] == f'"{value}"'


@area.scenario("a history of six mebibytes is replayed by a worker without a limit, and read")
def _(hub):
    state = hub.run(holds_many_results, 6)
    results = [
        len(event["result"])
        for event in hub.history(state["instanceId"])
        if event["type"] == "TaskCompleted"
    ]
    return {"state": state, "results": results}


@area.scenario("a payload that is too big is refused and names its limit")
def _(hub):
    return refusal(lambda: hub.start(echoes, "x" * (8 * MEBIBYTE)))


@area.scenario("an activity's result that is too big fails its task, not the sidecar")
def _(hub):
    return hub.run(length_of, 8 * MEBIBYTE)
