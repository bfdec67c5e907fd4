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


@area.orchestrator
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


def fail(hub, orchestrator, key, good_run=2, **more):
    state = hub.run(orchestrator, {"key": key, "goodRun": good_run, **more})
    if state["status"] != "FAILED":
        raise AssertionError(f"it has not failed: {state}")
    return state["instanceId"]


def rewind(hub, instance_id, reason="the cause is gone"):
    hub.client.rewind_orchestration(instance_id, reason=reason)
    return hub.completed(instance_id)


@area.scenario("a rewound orchestration runs its failed activity again and completes")
def _(hub):
    return rewind(hub, fail(hub, two_steps, new_id("again")))


@area.scenario("what has succeeded before a rewind is not run again")
def _(hub):
    key = new_id("kept")
    rewind(hub, fail(hub, two_steps, key))
    return [runs[f"{key} good"], runs[key]]


def with_children(hub, depth, meanwhile=lambda key: None):
    key = new_id("levels")
    instance_id = fail(hub, levels, key, depth=depth)
    meanwhile(key)
    return [rewind(hub, instance_id), hub.completed(f"{key}-1")]


@area.scenario("a failed child is rewound with its parent")
def _(hub):
    return with_children(hub, 1)


@area.scenario("a failed grandchild is rewound with its grandparent")
def _(hub):
    return with_children(hub, 2)


@area.scenario("a purged child is created again when its parent is rewound")
def _(hub):
    return with_children(hub, 1, lambda key: hub.client.purge_orchestration(f"{key}-1"))


@area.scenario("an orchestration is rewound twice")
def _(hub):
    instance_id = fail(hub, two_steps, new_id("twice"), good_run=3)
    return [rewind(hub, instance_id, "first"), rewind(hub, instance_id, "second")]


@area.scenario("an orchestration is rewound without a reason")
def _(hub):
    return rewind(hub, fail(hub, two_steps, new_id("silent")), None)


@area.scenario("a retry policy that has made its attempts makes one more behind each rewind")
def _(hub):
    instance_id = fail(hub, retries, new_id("retries"), good_run=4)
    return [rewind(hub, instance_id, "first"), rewind(hub, instance_id, "second")]


@area.scenario("the history shows a rewind and its reason")
def _(hub):
    instance_id = fail(hub, two_steps, new_id("shown"))
    rewind(hub, instance_id)
    return hub.history(instance_id)


@area.scenario("rewinding an unknown instance is refused")
def _(hub):
    return refusal(lambda: hub.client.rewind_orchestration(new_id("nobody")))


@area.scenario("an orchestration that has not failed is not rewound")
def _(hub):
    state = hub.run(two_steps, {"key": new_id("well"), "goodRun": 1})
    return refusal(lambda: hub.client.rewind_orchestration(state["instanceId"]))
