"""Work that stops at gates, for a worker that is killed there and another one that goes on."""

from area import Area

area = Area()


@area.activity
def pass_gate(_, gate):
    return area.gates.pass_through(gate)


@area.orchestrator_named("passesTwo")
def passes_two(context, gates):
    first = yield context.call_activity(pass_gate, input=gates[0])
    second = yield context.call_activity(pass_gate, input=gates[1])
    return [first, second]


@area.orchestrator_named("stopsInItsTurn")
def stops_in_its_turn(context, gate):
    """Its second turn waits for something else than a task, as no orchestrator should."""
    passed = yield context.call_activity(pass_gate, input="open")
    return [passed, area.gates.pass_through(gate)]


@area.command
def start(hub, orchestrator, given):
    return hub.start(orchestrator, given)


@area.command
def reached(hub, gate):
    hub.gates.wait_until_reached(gate)


@area.command
def open_gate(hub, gate):
    hub.gates.open(gate)


@area.command
def completed(hub, instance_id):
    return hub.completed(instance_id)
