"""Rewinding failed orchestrations by the SDK's client."""

import threading
from collections import Counter
from datetime import timedelta

from durabletask.task import RetryPolicy

from area import Area
from hub import new_id, refusal

area = Area()
runs = Counter()
runs_lock = threading.Lock()


def count(key):
    """How often something has run, this time included."""
    with runs_lock:
        runs[key] += 1
        return runs[key]


@area.activity
def succeeds(_, key):
    return count(f"{key} good")


@area.activity
def fails_until(_, wish):
    run = count(wish["key"])
    if run < wish["goodRun"]:
        raise RuntimeError(f"run {run} failed")
    return run


@area.orchestrator_named("twoSteps")
def two_steps(context, wish):
    first = yield context.call_activity(succeeds, input=wish["key"])
    second = yield context.call_activity(fails_until, input=wish)
    return [first, second]


@area.orchestrator
def levels(context, wish):
    depth = wish["depth"]
    if depth == 0:
        return (yield context.call_activity(fails_until, input=wish))
    below = {**wish, "depth": depth - 1}
    instance_id = f"{wish['key']}-{depth}"
    return (yield context.call_sub_orchestrator(levels, input=below, instance_id=instance_id))


@area.orchestrator
def retries(context, wish):
    policy = RetryPolicy(
        first_retry_interval=timedelta(milliseconds=1), max_number_of_attempts=2
    )
    first = yield context.call_activity(fails_until, input=wish, retry_policy=policy)
    second = yield context.call_activity(succeeds, input=wish["key"])
    return [first, second]


@area.command
def run(hub, name, wish):
    return hub.run(name, wish)


@area.command
def rewind(hub, instance_id, reason=None):
    hub.client.rewind_orchestration(instance_id, reason=reason)


@area.command
def completed(hub, instance_id):
    return hub.completed(instance_id)


@area.command
def purge(hub, instance_id):
    hub.client.purge_orchestration(instance_id)


@area.command
def get_runs(_hub, key):
    return runs[key]


@area.command
def history(hub, instance_id):
    return hub.history(instance_id)


@area.scenario("rewinding an unknown instance is refused")
def _(hub):
    return refusal(lambda: hub.client.rewind_orchestration(new_id("nobody")))


@area.scenario("an orchestration that has not failed is not rewound")
def _(hub):
    state = hub.run(two_steps, {"key": new_id("well"), "goodRun": 1})
    return refusal(lambda: hub.client.rewind_orchestration(state["instanceId"]))
