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


@area.activity
def measures(_, text):
    return len(text)


@area.orchestrator
def sends_much(context, count):
    """Waits for none: a turn with so long a history would not reach the worker."""
    for _ in range(count):
        context.call_activity(measures, input="x" * MEBIBYTE)
    return "sent"


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


@area.scenario("a turn that answers with six mebibytes is taken")
def _(hub):
    state = hub.run(sends_much, 6)
    inputs = [
        len(event["input"])
        for event in hub.history(state["instanceId"])
        if event["type"] == "TaskScheduled"
    ]
    return {"state": state, "inputs": inputs}


@area.scenario("a payload that is too big is refused and names its limit")
def _(hub):
    return refusal(lambda: hub.start(echoes, "x" * (8 * MEBIBYTE)))


@area.scenario("an activity's result that is too big fails its task, not the sidecar")
def _(hub):
    return hub.run(length_of, 8 * MEBIBYTE)
