"""Suspension, resumption and termination by the SDK's client."""

import concurrent.futures
from datetime import timedelta

from area import Area
from hub import Hub, new_id, refusal

area = Area()


@area.activity
def pass_gate(_, name):
    return area.gates.pass_through(name)


@area.orchestrator
def empty(_context, _):
    return "done"


@area.orchestrator
def listens(context, _):
    return (yield context.wait_for_external_event("go"))


@area.orchestrator
def collects(context, count):
    received = []
    while len(received) < count:
        received.append((yield context.wait_for_external_event("item")))
    return received


@area.orchestrator
def collects_anew(context, given):
    item = yield context.wait_for_external_event("item")
    received = [*given["received"], item]
    if len(received) < given["wanted"]:
        context.continue_as_new({**given, "received": received}, save_events=True)
    return received


@area.orchestrator
def passes(context, gate):
    return (yield context.call_activity(pass_gate, input=gate))


@area.orchestrator
def naps(context, _):
    yield context.create_timer(timedelta(seconds=2))
    return "rested"


@area.orchestrator
def calls_two(context, instance_ids):
    first, second = [
        context.call_sub_orchestrator(listens, instance_id=instance_id)
        for instance_id in instance_ids
    ]
    yield first
    return (yield second)


@area.scenario("an event raised while suspended is delivered after the resume, not before")
def _(hub):
    instance_id = hub.start_and_wait(listens)
    hub.client.suspend_orchestration(instance_id)
    statuses = [hub.status(instance_id)]
    hub.event(instance_id, "go", 5)
    waits = hub.does_not_complete(instance_id)
    statuses.append(hub.status(instance_id))
    hub.client.resume_orchestration(instance_id)
    return {"statuses": statuses, "waits": waits, "state": hub.completed(instance_id)}


@area.scenario("a resumed orchestration that waits is running")
def _(hub):
    instance_id = hub.start_and_wait(listens)
    hub.client.suspend_orchestration(instance_id)
    hub.client.resume_orchestration(instance_id)
    return hub.status(instance_id)


@area.scenario("events raised while suspended keep their order")
def _(hub):
    instance_id = hub.start(collects, 3)
    hub.event(instance_id, "item", 1)
    hub.client.suspend_orchestration(instance_id)
    hub.event(instance_id, "item", 2)
    hub.event(instance_id, "item", 3)
    hub.client.resume_orchestration(instance_id)
    return hub.completed(instance_id)


@area.scenario("an activity's result that comes while suspended is used after the resume")
def _(hub):
    gate = hub.gates.new()
    instance_id = hub.start(passes, gate)
    hub.gates.wait_until_reached(gate)
    hub.client.suspend_orchestration(instance_id)
    hub.gates.open(gate)
    waits = hub.does_not_complete(instance_id)
    hub.client.resume_orchestration(instance_id)
    return {"gate": gate, "waits": waits, "state": hub.completed(instance_id)}


@area.scenario("a timer that fires while suspended is used after the resume")
def _(hub):
    instance_id = hub.start_and_wait(naps)
    hub.client.suspend_orchestration(instance_id)
    waits = hub.does_not_complete(instance_id, 2.5)
    hub.client.resume_orchestration(instance_id)
    return {"waits": waits, "state": hub.completed(instance_id)}


@area.scenario("events of a storm are each consumed once while it is suspended and resumed")
def _(hub):
    instance_id = hub.start(collects_anew, {"wanted": 60, "received": []})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        raising = [pool.submit(hub.event, instance_id, "item", i) for i in range(60)]
        for _ in range(10):
            hub.client.suspend_orchestration(instance_id)
            hub.client.resume_orchestration(instance_id)
        for raised in raising:
            raised.result()
    return hub.completed(instance_id)


@area.scenario(
    "the history shows one suspension and one resumption, however often they are asked for"
)
def _(hub):
    instance_id = hub.start_and_wait(listens)
    hub.client.resume_orchestration(instance_id)
    hub.client.suspend_orchestration(instance_id)
    hub.client.suspend_orchestration(instance_id)
    hub.client.resume_orchestration(instance_id)
    hub.client.resume_orchestration(instance_id)
    hub.event(instance_id, "go")
    hub.completed(instance_id)
    return hub.types(instance_id)


@area.scenario("suspending, resuming or terminating a completed orchestration changes nothing")
def _(hub):
    before = hub.run(empty)
    instance_id = before["instanceId"]
    hub.client.suspend_orchestration(instance_id)
    hub.client.resume_orchestration(instance_id)
    hub.client.terminate_orchestration(instance_id, output="too late")
    return {"before": before, "after": hub.state(instance_id)}


@area.scenario("suspending, resuming or terminating an unknown instance is NOT_FOUND")
def _(hub):
    instance_id = new_id("nobody")
    return [
        refusal(lambda: hub.client.suspend_orchestration(instance_id)),
        refusal(lambda: hub.client.resume_orchestration(instance_id)),
        refusal(lambda: hub.client.terminate_orchestration(instance_id)),
    ]


@area.scenario("a running orchestration is terminated with the output it is given")
def _(hub):
    instance_id = hub.start_and_wait(listens)
    hub.client.terminate_orchestration(instance_id, output={"reason": "enough"})
    return hub.completed(instance_id)


@area.scenario("the first of two terminations wins")
def _(hub):
    instance_id = hub.start_and_wait(listens)
    hub.client.terminate_orchestration(instance_id, output="first")
    hub.client.terminate_orchestration(instance_id, output="second")
    return hub.completed(instance_id)


@area.scenario("a suspended orchestration is terminated")
def _(hub):
    instance_id = hub.start_and_wait(listens)
    hub.client.suspend_orchestration(instance_id)
    hub.client.terminate_orchestration(instance_id, output="stopped")
    return hub.completed(instance_id)


@area.scenario("an orchestration that waits for an activity is terminated at once")
def _(hub):
    gate = hub.gates.new()
    instance_id = hub.start(passes, gate)
    hub.gates.wait_until_reached(gate)
    hub.client.terminate_orchestration(instance_id)
    before = hub.completed(instance_id)
    hub.gates.open(gate)
    hub.run(empty)
    return {"before": before, "after": hub.state(instance_id)}


@area.scenario(
    "an orchestration that no worker has seen is suspended, resumed and terminated"
)
def _(hub):
    other = Hub(hub.address, task_hub=new_id("hub"))
    instance_id = other.start(empty)
    statuses = [other.status(instance_id)]
    other.client.suspend_orchestration(instance_id)
    statuses.append(other.started(instance_id)["status"])
    other.client.resume_orchestration(instance_id)
    statuses.append(other.status(instance_id))
    other.client.terminate_orchestration(instance_id, output="never ran")
    state = other.completed(instance_id)
    other.client.close()
    return {"statuses": statuses, "state": state}


@area.scenario("a recursive termination ends the children too")
def _(hub):
    children = [new_id("child"), new_id("child")]
    parent = hub.start(calls_two, children)
    for child in children:
        hub.started(child)
    hub.client.terminate_orchestration(parent, output="all of you", recursive=True)
    return [hub.completed(instance_id) for instance_id in [parent, *children]]


@area.scenario("a termination that is not recursive leaves the children running")
def _(hub):
    children = [new_id("child"), new_id("child")]
    parent = hub.start(calls_two, children)
    for child in children:
        hub.started(child)
    hub.client.terminate_orchestration(parent, output="only you", recursive=False)
    statuses = [hub.status(child) for child in children]
    for child in children:
        hub.event(child, "go", "on")
    return {
        "parent": hub.completed(parent),
        "statuses": statuses,
        "children": [hub.completed(child) for child in children],
    }
