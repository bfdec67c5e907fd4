"""External events, timers, and events that orchestrations send each other."""

import concurrent.futures
from datetime import datetime, timedelta, timezone

from durabletask.task import when_all, when_any

from area import Area
from hub import new_id, refusal

area = Area()


@area.activity
def pass_gate(_, name):
    return area.gates.pass_through(name)


@area.orchestrator
def naps(context, seconds):
    start = context.current_utc_datetime
    yield context.create_timer(timedelta(seconds=seconds))
    return (context.current_utc_datetime - start).total_seconds()


@area.orchestrator
def sleeps_until(context, time):
    yield context.create_timer(datetime.fromisoformat(time))
    return "awake"


@area.orchestrator
def naps_together(context, count):
    yield when_all([context.create_timer(timedelta(milliseconds=i)) for i in range(count)])
    return count


@area.orchestrator
def listens(context, name):
    return (yield context.wait_for_external_event(name))


@area.orchestrator
def collects(context, count):
    received = []
    while len(received) < count:
        received.append((yield context.wait_for_external_event("item")))
    return received


@area.orchestrator
def listens_late(context, gate):
    yield context.call_activity(pass_gate, input=gate)
    first = yield context.wait_for_external_event("item")
    second = yield context.wait_for_external_event("item")
    return [first, second]


@area.orchestrator
def listens_to_many(context, count):
    return (yield when_all([context.wait_for_external_event(f"e{i}") for i in range(count)]))


@area.orchestrator
def races(context, seconds):
    event = context.wait_for_external_event("answer")
    timer = context.create_timer(timedelta(seconds=seconds))
    winner = yield when_any([event, timer])
    if winner is timer:
        return "timer"
    timer.cancel()
    return event.get_result()


@area.orchestrator
def sends(context, given):
    context.send_event(given["to"], given["name"], data=given.get("data"))
    yield context.create_timer(timedelta())
    return "sent"


@area.orchestrator
def sends_last(context, to):
    context.send_event(to, "item", data="the last word")


@area.scenario("a timer does not fire before its time")
def _(hub):
    return hub.output_of(naps, 0.25)


@area.scenario("a timer of the past fires at once")
def _(hub):
    return hub.output_of(sleeps_until, "2001-02-03T04:05:06.789+00:00")


@area.scenario("two hundred timers of one orchestration all fire")
def _(hub):
    return hub.output_of(naps_together, 200)


@area.scenario("an event that is waited for completes the wait")
def _(hub):
    instance_id = hub.start_and_wait(listens, "approval")
    hub.event(instance_id, "approval", {"by": "nadia"})
    return hub.completed(instance_id)


@area.scenario("events raised before they are waited for are kept, in order")
def _(hub):
    gate = hub.gates.new()
    instance_id = hub.start(listens_late, gate)
    hub.event(instance_id, "item", 1)
    hub.gates.wait_until_reached(gate)
    hub.event(instance_id, "item", 2)
    hub.gates.open(gate)
    return hub.completed(instance_id)


@area.scenario("an event raised before the scheduled start is kept")
def _(hub):
    start_at = datetime.now(timezone.utc) + timedelta(seconds=1.5)
    instance_id = hub.start(listens, "early", start_at=start_at)
    hub.event(instance_id, "early", "bird")
    return {"status": hub.status(instance_id), "state": hub.completed(instance_id)}


@area.scenario("names of events are compared without case, and stored as they came")
def _(hub):
    instance_id = hub.start(listens, "goAhead")
    hub.event(instance_id, "GOahead", 7)
    state = hub.completed(instance_id)
    raised = [event for event in hub.history(instance_id) if event["type"] == "EventRaised"]
    return {"state": state, "names": [event["name"] for event in raised]}


def raise_at_once(hub, instance_id, events):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda event: hub.event(instance_id, *event), events))


@area.scenario("a hundred events raised at once all arrive")
def _(hub):
    instance_id = hub.start(collects, 100)
    raise_at_once(hub, instance_id, [("item", i) for i in range(100)])
    return hub.completed(instance_id)


@area.scenario("a hundred events of different names complete a hundred waits")
def _(hub):
    instance_id = hub.start(listens_to_many, 100)
    raise_at_once(hub, instance_id, [(f"e{i}", i) for i in range(100)])
    return hub.completed(instance_id)


@area.scenario("events raised one after the other arrive in that order")
def _(hub):
    instance_id = hub.start(collects, 20)
    for i in range(20):
        hub.event(instance_id, "item", i)
    return hub.completed(instance_id)


@area.scenario("a timer wins the race against an event that never comes")
def _(hub):
    return hub.output_of(races, 0.05)


@area.scenario("an event wins the race against a timer of an hour")
def _(hub):
    instance_id = hub.start(races, 3600)
    hub.event(instance_id, "answer", "event")
    return hub.completed(instance_id)


@area.scenario("an event wins the race against a timer of thirty days")
def _(hub):
    instance_id = hub.start(races, 30 * 24 * 3600)
    hub.event(instance_id, "answer", "event")
    return hub.completed(instance_id)


@area.scenario("an event without data is read as null")
def _(hub):
    instance_id = hub.start(listens, "bare")
    hub.event(instance_id, "bare")
    return hub.completed(instance_id)


@area.scenario("raising an event of an unknown instance is NOT_FOUND")
def _(hub):
    return refusal(lambda: hub.event(new_id("nobody"), "item", 1))


@area.scenario("an event of a completed instance is dropped without an error")
def _(hub):
    before = hub.run(naps, 0)
    hub.event(before["instanceId"], "item", 1)
    return {"before": before, "after": hub.state(before["instanceId"])}


@area.scenario("an orchestration sends an event to another one")
def _(hub):
    listener = hub.start(listens, "item")
    sender = hub.run(sends, {"to": listener, "name": "ITEM", "data": {"from": "a friend"}})
    history = hub.history(sender["instanceId"])
    return {
        "listener": hub.completed(listener),
        "sent": [event for event in history if event["type"] == "EventSent"],
    }


@area.scenario("an orchestration that sends an event and ends has sent it")
def _(hub):
    listener = hub.start(listens, "item")
    hub.run(sends_last, listener)
    return hub.completed(listener)


@area.scenario("an event sent to nobody is dropped and its sender goes on")
def _(hub):
    state = hub.run(sends, {"to": new_id("nobody"), "name": "item"})
    return {"state": state, "types": hub.types(state["instanceId"])}
