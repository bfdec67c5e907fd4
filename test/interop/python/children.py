"""Sub-orchestrations."""

import threading
from collections import Counter
from datetime import timedelta

from durabletask.task import RetryPolicy, when_all

from area import Area
from hub import new_id

area = Area()
runs = Counter()
runs_lock = threading.Lock()


@area.activity
def pass_gate(_, name):
    return area.gates.pass_through(name)


@area.activity
def count_run(_, key):
    with runs_lock:
        runs[key] += 1
        return runs[key]


@area.orchestrator
def double(_, given):
    return given * 2


@area.orchestrator
def parent_called(context, _):
    return {"parent": context.parent_instance_id, "version": context.version}


@area.orchestrator
def broken(_context, _):
    raise TypeError("the child is not well")


@area.orchestrator
def waiting(context, _):
    return (yield context.wait_for_external_event("go"))


@area.orchestrator
def calls_child(context, call):
    name, options = call["name"], call.get("options", {})
    return (yield context.call_sub_orchestrator(name, input=call.get("input"), **options))


@area.orchestrator
def calls_children(context, count):
    return (
        yield when_all([context.call_sub_orchestrator(double, input=i) for i in range(count)])
    )


@area.orchestrator
def levels(context, depth):
    if depth == 0:
        return ["bottom"]
    below = yield context.call_sub_orchestrator("levels", input=depth - 1)
    return [f"level {depth}", *below]


@area.orchestrator
def fails_until(context, given):
    run = yield context.call_activity(count_run, input=given["key"])
    if run < given["goodRun"]:
        raise RuntimeError(f"run {run} failed")
    return run


@area.orchestrator
def retries_child(context, given):
    policy = RetryPolicy(first_retry_interval=timedelta(milliseconds=1), max_number_of_attempts=3)
    return (yield context.call_sub_orchestrator(fails_until, input=given, retry_policy=policy))


@area.orchestrator
def leaves_child(context, given):
    context.call_sub_orchestrator(waiting, instance_id=given["instanceId"])
    yield context.call_activity(pass_gate, input=given["gate"])
    return "left"


@area.scenario("a child is called by its name and its output comes back")
def _(hub):
    return hub.output_of(calls_child, {"name": "double", "input": 21})


@area.scenario("a child knows its parent's name, id and task, and its own version")
def _(hub):
    # The SDK tells a child the id only; the rest is in its history.
    child = new_id("child")
    options = {"version": "2.1", "instance_id": child}
    state = hub.run(calls_child, {"name": "parent_called", "options": options})
    [started] = [event for event in hub.history(child) if event["type"] == "ExecutionStarted"]
    return {"state": state, "parent": started["parent_instance"]}


@area.scenario("an orchestration that a client started has no parent")
def _(hub):
    return hub.output_of(parent_called)


@area.scenario("fifty children run side by side")
def _(hub):
    return hub.output_of(calls_children, 50)


@area.scenario("outputs pass up through three levels")
def _(hub):
    return hub.output_of(levels, 3)


@area.scenario("a child's failure passes up with its text")
def _(hub):
    return hub.run(calls_child, {"name": "calls_child", "input": {"name": "broken"}})


@area.scenario("a child gets the id that its parent gives it")
def _(hub):
    child = new_id("child")
    call = {"name": "double", "input": 1, "options": {"instance_id": child}}
    hub.run(calls_child, call)
    return hub.state(child)


def retried(hub, good_run):
    key = new_id("key")
    state = hub.run(retries_child, {"key": key, "goodRun": good_run})
    history = hub.history(state["instanceId"])
    children = [
        event["instance_id"]
        for event in history
        if event["type"] == "SubOrchestrationInstanceCreated"
    ]
    return {"state": state, "runs": runs[key], "children": children}


@area.scenario("a child that fails twice is run three times under the same id")
def _(hub):
    return retried(hub, 3)


@area.scenario("a child is not run more often than its retry policy says")
def _(hub):
    return retried(hub, 4)


@area.scenario("calling a child that is running fails the call and leaves it alone")
def _(hub):
    child = hub.start_and_wait(waiting)
    call = {"name": "double", "input": 1, "options": {"instance_id": child}}
    state = hub.run(calls_child, call)
    hub.event(child, "go", "still here")
    return {"childId": child, "state": state, "child": hub.completed(child)}


@area.scenario("a terminated child fails its parent's call")
def _(hub):
    child = new_id("child")
    parent = hub.start(calls_child, {"name": "waiting", "options": {"instance_id": child}})
    hub.started(child)
    hub.client.terminate_orchestration(child, output="no longer needed")
    return hub.completed(parent)


@area.scenario("a child goes on when its parent has completed without it")
def _(hub):
    child = new_id("child")
    gate = hub.gates.new()
    parent = hub.start(leaves_child, {"instanceId": child, "gate": gate})
    hub.started(child)
    hub.gates.open(gate)
    left = hub.completed(parent)
    hub.event(child, "go", 1)
    return {"parent": left, "child": hub.completed(child)}
