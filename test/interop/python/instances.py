"""States, custom status, histories, ids, purges."""

import threading
from datetime import datetime, timedelta, timezone

import grpc
from durabletask.client import OrchestrationStatus
from durabletask.internal.orchestrator_service_pb2 import OrchestrationIdReusePolicy

from area import Area
from hub import Hub, new_id, refusal

area = Area()


@area.activity
def add_one(_, given):
    return given + 1


@area.activity
def echo(_, given):
    return given


@area.orchestrator
def empty(_context, _):
    return "done"


@area.orchestrator
def broken(_context, _):
    raise SyntaxError("out of order")


@area.orchestrator
def started_at(context, _):
    return f"{context.current_utc_datetime.isoformat()}Z"


@area.orchestrator
def listens(context, _):
    return (yield context.wait_for_external_event("go"))


@area.orchestrator
def reports(context, statuses):
    for status in statuses:
        context.set_custom_status(status)
        yield context.wait_for_external_event("next")


@area.orchestrator
def calls_each_once(context, _):
    yield context.call_activity(add_one, input=1)
    yield context.create_timer(timedelta(milliseconds=10))
    return (yield context.call_sub_orchestrator(empty))


@area.orchestrator
def remembers(context, _):
    def now():
        time = f"{context.current_utc_datetime.isoformat()}Z"
        return {"id": context.new_uuid(), "time": time}

    first = now()
    first_as_it_was = yield context.call_activity(echo, input=first)
    second = now()
    second_as_it_was = yield context.call_activity(echo, input=second)
    return {
        "first": first,
        "second": second,
        "asTheyWere": [first_as_it_was, second_as_it_was],
    }


seen = []


@area.orchestrator
def looks_around(context, _):
    seen.append(f"start {context.is_replaying}".lower())
    yield context.call_activity(echo, input=1)
    seen.append(f"end {context.is_replaying}".lower())
    return "done"


@area.orchestrator
def calls_parent_of_two(context, instance_ids):
    for instance_id in instance_ids:
        yield context.call_sub_orchestrator(empty, instance_id=instance_id)


@area.scenario(
    "the custom status of the first turn is there when the start was waited for"
)
def _(hub):
    instance_id = hub.start(reports, [{"step": 1}])
    at_start = hub.started(instance_id, fetch_payloads=True)
    hub.event(instance_id, "next")
    return [at_start, hub.completed(instance_id)]


@area.command
def report(hub, statuses):
    instance_id = hub.start(reports, statuses)
    for _ in statuses:
        hub.event(instance_id, "next")
    return hub.completed(instance_id)


@area.scenario("input, output and custom status are left out when they are not asked for")
def _(hub):
    instance_id = hub.start(reports, ["status"])
    hub.event(instance_id, "next")
    hub.completed(instance_id)
    return hub.state(instance_id, fetch_payloads=False)


@area.scenario("the history of an activity, a timer and a child has exactly twelve events")
def _(hub):
    return hub.history(hub.run(calls_each_once)["instanceId"])


@area.scenario("the history of an unknown instance is empty")
def _(hub):
    return refusal(lambda: hub.history(new_id("nobody")))


@area.scenario("an unknown instance has no state")
def _(hub):
    return hub.state(new_id("nobody"))


@area.scenario("a wait begun before the instance exists ends with the instance")
def _(hub):
    instance_id = new_id("later")
    seen = []
    waiting = threading.Thread(target=lambda: seen.append(hub.completed(instance_id)))
    waiting.start()
    hub.start(empty, instance_id=instance_id)
    waiting.join()
    return seen


@area.scenario("identifiers and times that an orchestrator makes are the same at each replay")
def _(hub):
    return hub.run(remembers)


@area.scenario("an orchestrator is told what is replayed")
def _(hub):
    hub.output_of(looks_around)
    return seen


@area.scenario("starting an instance that is running is ALREADY_EXISTS")
def _(hub):
    instance_id = hub.start_and_wait(listens)
    refused = refusal(lambda: hub.start(empty, instance_id=instance_id))
    hub.event(instance_id, "go", 1)
    return {"refused": refused, "state": hub.completed(instance_id)}


@area.scenario("starting a completed, failed or terminated instance again replaces it")
def _(hub):
    instance_id = new_id("again")
    hub.run(broken, instance_id=instance_id, tags={"old": "yes"})
    hub.run(empty, 1, instance_id=instance_id)
    hub.start_and_wait(listens, instance_id=instance_id)
    hub.client.terminate_orchestration(instance_id, output="ended")
    return hub.run(empty, 2, instance_id=instance_id)


@area.command
def start_again(hub, orchestrator, statuses):
    """Starts again what has ended, or what is running, with a policy of these statuses.

    Returns the input of the new one, or how it was refused.
    """
    again = hub.start_and_wait if orchestrator == "listens" else hub.run
    instance_id = new_id("again")
    again(orchestrator, 1, instance_id=instance_id)
    values = [OrchestrationStatus[status].value for status in statuses]
    policy = OrchestrationIdReusePolicy(replaceableStatus=values)
    options = {"instance_id": instance_id, "reuse_id_policy": policy}
    try:
        return hub.run(empty, 2, **options)["input"]
    except grpc.RpcError as error:
        return error.code().name


@area.scenario("an orchestration does not start before its scheduled time")
def _(hub):
    start_at = datetime.now(timezone.utc) + timedelta(seconds=1.5)
    instance_id = hub.start(started_at, start_at=start_at)
    return {
        "startAt": start_at.isoformat(),
        "status": hub.status(instance_id),
        "state": hub.completed(instance_id),
    }


@area.scenario("tags and version of the start are in the history")
def _(hub):
    tags = {"tenant": "north", "empty value": "", "schlüssel": "wert"}
    state = hub.run(empty, tags=tags, version="1.2.3")
    return hub.history(state["instanceId"])[1]


@area.scenario("the version that a client is made with is that of its orchestrations")
def _(hub):
    versioned = Hub(hub.address, hub.task_hub, default_version="9.0")
    state = versioned.run(empty)
    versioned.client.close()
    return hub.history(state["instanceId"])[1]


def purge(hub, instance_id, **options):
    return hub.client.purge_orchestration(instance_id, **options).deleted_instance_count


@area.scenario("a purged instance is gone and its id is free")
def _(hub):
    instance_id = hub.run(empty)["instanceId"]
    return {
        "purged": purge(hub, instance_id),
        "state": hub.state(instance_id),
        "history": refusal(lambda: hub.history(instance_id)),
        "again": hub.run(empty, 3, instance_id=instance_id),
    }


@area.scenario("a running or an unknown instance is not purged")
def _(hub):
    instance_id = hub.start_and_wait(listens)
    purged = [purge(hub, instance_id), purge(hub, new_id("nobody"))]
    hub.event(instance_id, "go", "alive")
    return {"purged": purged, "state": hub.completed(instance_id)}


@area.command
def purge_parent_of_two(hub, recursive):
    children = [new_id("child"), new_id("child")]
    instance_id = hub.run(calls_parent_of_two, children)["instanceId"]
    purged = purge(hub, instance_id, recursive=recursive)
    return {"purged": purged, "children": [hub.state(child) for child in children]}


@area.scenario("a wait that is given up does not disturb the instance")
def _(hub):
    instance_id = hub.start_and_wait(listens)
    waits = hub.does_not_complete(instance_id)
    hub.event(instance_id, "go", 1)
    return {"waits": waits, "state": hub.completed(instance_id)}
