"""Orchestrations that start anew."""

import concurrent.futures

from area import Area

area = Area()


@area.activity
def pass_gate(_, name):
    return area.gates.pass_through(name)


@area.activity
def add_one(_, given):
    return given + 1


@area.orchestrator
def counts(context, generation):
    if generation < 10:
        context.continue_as_new(generation + 1)
    return generation


@area.orchestrator
def counts_in_activities(context, generation):
    following = yield context.call_activity(add_one, input=generation)
    if following < 10:
        context.continue_as_new(following)
    return following


@area.orchestrator
def double(_, given):
    return given * 2


@area.orchestrator
def counts_in_children(context, given):
    following = yield context.call_sub_orchestrator(double, input=given)
    if following < 1024:
        context.continue_as_new(following)
    return following


@area.orchestrator
def collects_one_by_one(context, given):
    item = yield context.wait_for_external_event("item")
    received = [*given["received"], item]
    if len(received) < given["wanted"]:
        context.continue_as_new({**given, "received": received}, save_events=True)
    return received


@area.orchestrator
def keeps_events(context, given):
    first, second, keep = given.get("first"), given["second"], given["keep"]
    yield context.call_activity(pass_gate, input=first or second)
    if first is None:
        return (yield context.wait_for_external_event("item"))
    yield context.wait_for_external_event("ready")
    context.continue_as_new({"second": second, "keep": keep}, save_events=keep)


@area.orchestrator
def talks_to_itself(context, given):
    if given == "again":
        return (yield context.wait_for_external_event("note"))
    context.send_event(context.instance_id, "note", data="to my next life")
    context.continue_as_new("again")


@area.orchestrator
def calls_counting(context, _):
    return (yield context.call_sub_orchestrator(counts, input=1))


@area.orchestrator
def asks_twice(context, given):
    if "first" not in given:
        return (yield context.call_activity(pass_gate, input=given["second"]))
    context.call_activity(pass_gate, input=given["first"])
    yield context.wait_for_external_event("restart")
    context.continue_as_new({"second": given["second"]})


@area.scenario("an orchestration starts anew ten times, and its last input is shown")
def _(hub):
    return hub.run(counts, 1)


@area.scenario("only the last generation is in the history")
def _(hub):
    return hub.types(hub.run(counts_in_activities, 1)["instanceId"])


@area.scenario("each generation may call children without choosing their ids")
def _(hub):
    return hub.output_of(counts_in_children, 1)


@area.scenario("tags and version stay over continue-as-new")
def _(hub):
    state = hub.run(counts, 1, tags={"tenant": "a"}, version="3")
    return hub.history(state["instanceId"])[1]


@area.scenario("an orchestration continues as new in another version")
def _(hub):
    state = hub.run(changes_version, "2", version="1")
    return {"state": state, "started": hub.history(state["instanceId"])[1]}


@area.orchestrator
def changes_version(context, version):
    if version is not None:
        context.continue_as_new(None, new_version=version)
        return None
    return context.version


@area.scenario("every event of a storm is consumed once over fifty generations")
def _(hub):
    instance_id = hub.start(collects_one_by_one, {"wanted": 50, "received": []})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda i: hub.event(instance_id, "item", i), range(50)))
    return hub.completed(instance_id)


@area.scenario("events of one caller keep their order over generations")
def _(hub):
    instance_id = hub.start(collects_one_by_one, {"wanted": 20, "received": []})
    for i in range(20):
        hub.event(instance_id, "item", i)
    return hub.completed(instance_id)


@area.command
def keep_events(hub, keep):
    first, second = hub.gates.new(), hub.gates.new()
    instance_id = hub.start(keeps_events, {"first": first, "second": second, "keep": keep})
    hub.gates.wait_until_reached(first)
    hub.event(instance_id, "item", "old")
    hub.event(instance_id, "ready")
    hub.gates.open(first)
    hub.gates.wait_until_reached(second)
    hub.event(instance_id, "item", "new")
    hub.gates.open(second)
    return hub.completed(instance_id)


@area.scenario("an event that an orchestration sends itself reaches its next generation")
def _(hub):
    return hub.output_of(talks_to_itself)


@area.scenario("a parent hears of its child's last generation only")
def _(hub):
    return hub.run(calls_counting)


@area.scenario("a result for an earlier generation does not complete a task of this one")
def _(hub):
    first, second = hub.gates.new(), hub.gates.new()
    instance_id = hub.start(asks_twice, {"first": first, "second": second})
    hub.gates.wait_until_reached(first)
    hub.event(instance_id, "restart")
    hub.gates.wait_until_reached(second)
    hub.gates.open(first)
    hub.state(instance_id)
    hub.gates.open(second)
    return {"second": second, "state": hub.completed(instance_id)}
