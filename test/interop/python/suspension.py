"""Orchestrations that are held, by the SDK's client or from outside."""

from area import Area
from hub import refusal

area = Area()


@area.activity
def pass_gate(_, name):
    return area.gates.pass_through(name)


@area.orchestrator
def gathers(context, given):
    """Each generation waits for an activity and an event; the last returns what all have got."""
    gate, *rest = given["gates"]
    context.set_custom_status({"items": len(given["items"])})
    passed = yield context.call_activity(pass_gate, input=gate)
    item = yield context.wait_for_external_event("item")
    items = [*given["items"], passed, item]
    if rest:
        context.continue_as_new({"gates": rest, "items": items}, save_events=True)
    return items


@area.orchestrator
def progresses(context, steps):
    for step in range(1, steps + 1):
        context.set_custom_status({"step": step})
        yield context.wait_for_external_event("step")
    return "done"


@area.orchestrator
def listens(context, _):
    return (yield context.wait_for_external_event("go"))


@area.orchestrator_named("callsListening")
def calls_listening(context, instance_id):
    return (yield context.call_sub_orchestrator(listens, instance_id=instance_id))


@area.command
def start(hub, orchestrator, instance_id, given=None):
    return hub.start(orchestrator, given, instance_id=instance_id)


@area.command
def start_refused(hub, orchestrator, instance_id):
    return refusal(lambda: hub.start(orchestrator, instance_id=instance_id))


@area.command
def started(hub, instance_id):
    return hub.started(instance_id)


@area.command
def reached(hub, gate):
    hub.gates.wait_until_reached(gate)


@area.command
def open_gate(hub, gate):
    hub.gates.open(gate)


@area.command
def raise_event(hub, instance_id, name, data=None):
    hub.event(instance_id, name, data)


@area.command
def suspend(hub, instance_id):
    hub.client.suspend_orchestration(instance_id, reason="lunch")


@area.command
def resume(hub, instance_id):
    hub.client.resume_orchestration(instance_id, reason="back")


@area.command
def status(hub, instance_id):
    return hub.status(instance_id)


@area.command
def completed(hub, instance_id):
    return hub.completed(instance_id)
