"""Restarts by the SDK's client."""

from area import Area
from hub import new_id, refusal

area = Area()


@area.orchestrator
def double(_, given):
    return given * 2


@area.orchestrator
def versioned(context, _):
    return context.version


@area.orchestrator
def listens(context, _):
    return (yield context.wait_for_external_event("go"))


@area.scenario(
    "a completed orchestration that is restarted under its id runs again with its input"
)
def _(hub):
    before = hub.run(double, 21)
    restarted = hub.client.restart_orchestration(before["instanceId"])
    return {"before": before, "restarted": restarted, "after": hub.completed(restarted)}


@area.scenario("a restart under a new id leaves a running orchestration as it is")
def _(hub):
    instance_id = hub.start_and_wait(listens)
    copy = hub.client.restart_orchestration(instance_id, restart_with_new_instance_id=True)
    hub.event(copy, "go", 1)
    return {
        "ids": [instance_id, copy],
        "copy": hub.completed(copy),
        "status": hub.status(instance_id),
    }


@area.scenario("a restarted orchestration has the tags and the version of its source")
def _(hub):
    state = hub.run(versioned, tags={"team": "blue"}, version="2.1")
    copy = hub.client.restart_orchestration(
        state["instanceId"], restart_with_new_instance_id=True
    )
    started = next(
        event for event in hub.history(hub.completed(copy)["instanceId"])
        if event["type"] == "ExecutionStarted"
    )
    return {"output": hub.completed(copy)["output"], "tags": started["tags"]}


@area.scenario("a running or suspended orchestration is not restarted under its id")
def _(hub):
    instance_id = hub.start_and_wait(listens)
    running = refusal(lambda: hub.client.restart_orchestration(instance_id))
    hub.client.suspend_orchestration(instance_id)
    return [running, refusal(lambda: hub.client.restart_orchestration(instance_id))]


@area.scenario("restarting an unknown instance is refused")
def _(hub):
    return [
        refusal(
            lambda: hub.client.restart_orchestration(
                new_id("nobody"), restart_with_new_instance_id=is_new
            )
        )
        for is_new in (False, True)
    ]
