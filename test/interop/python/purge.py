"""Purges by filter. Each scenario has a hub of its own: a filter takes whatever there is."""

from datetime import datetime, timedelta, timezone

from durabletask.client import OrchestrationStatus

from area import Area
from hub import Hub, new_id, new_worker

area = Area()
MICROSECOND = timedelta(microseconds=1)


def returns(_, given):
    return given


def calls_children(context, ids):
    for instance_id in ids:
        yield context.call_sub_orchestrator(returns, input=1, instance_id=instance_id)


def new_hub(hub, *orchestrators):
    task_hub = new_id("hub")
    if orchestrators:
        worker = new_worker(hub.address, task_hub)
        for orchestrator in orchestrators:
            worker.add_orchestrator(orchestrator)
        worker.start()
    return Hub(hub.address, task_hub=task_hub)


def start_pending(hub, count):
    """Orchestrations that do not begin within this hour."""
    start_at = datetime.now(timezone.utc) + timedelta(hours=1)
    ids = [str(i) for i in range(count)]
    for instance_id in ids:
        hub.start("nobody's", instance_id=instance_id, start_at=start_at)
    return ids


def end_all(hub, ids):
    for instance_id in ids:
        hub.client.terminate_orchestration(instance_id, output="ended")


def left(hub, ids):
    return [instance_id for instance_id in ids if hub.state(instance_id) is not None]


def purged(hub, **criteria):
    return hub.client.purge_orchestrations_by(**criteria).deleted_instance_count


def created_at(hub, instance_id):
    return hub.client.get_orchestration_state(instance_id).created_at


@area.scenario("a purge by status deletes what has that status")
def _(hub):
    hub = new_hub(hub, returns)
    hub.run(returns, 1, instance_id="done")
    start_at = datetime.now(timezone.utc) + timedelta(hours=1)
    hub.start(returns, 1, instance_id="ended", start_at=start_at)
    end_all(hub, ["ended"])
    return [
        {"purged": purged(hub, runtime_status=[status]), "left": left(hub, ["done", "ended"])}
        for status in [
            OrchestrationStatus.FAILED,
            OrchestrationStatus.COMPLETED,
            OrchestrationStatus.TERMINATED,
        ]
    ]


@area.scenario("a purge by the time of creation deletes what was created in it")
def _(hub):
    hub = new_hub(hub)
    ids = start_pending(hub, 4)
    end_all(hub, ids)
    count = purged(
        hub,
        created_time_from=created_at(hub, ids[1]),
        # The SDK has whole microseconds: the next one is behind it.
        created_time_to=created_at(hub, ids[2]) + MICROSECOND,
    )
    return {"purged": count, "left": left(hub, ids)}


@area.scenario("a purge by a filter that names no status spares what has not ended")
def _(hub):
    hub = new_hub(hub)
    ids = start_pending(hub, 3)
    end_all(hub, ids[:2])
    count = purged(hub, created_time_from=datetime(2020, 1, 1))
    return {"purged": count, "left": left(hub, ids)}


@area.command
def purge_parent_of_two(hub, recursive):
    hub = new_hub(hub, returns, calls_children)
    children = ["child-1", "child-2"]
    hub.run(calls_children, children, instance_id="parent")
    born = created_at(hub, "parent") + MICROSECOND
    count = purged(hub, created_time_to=born, recursive=recursive)
    return {"purged": count, "left": left(hub, ["parent", *children])}


@area.scenario("a purge by a filter that nothing fits deletes nothing")
def _(hub):
    hub = new_hub(hub)
    ids = start_pending(hub, 2)
    end_all(hub, ids)
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    return {"purged": purged(hub, created_time_from=later), "left": left(hub, ids)}


@area.scenario("a purge with a time limit deletes what it can in that time")
def _(hub):
    hub = new_hub(hub)
    ids = start_pending(hub, 2)
    end_all(hub, ids)
    result = hub.client.purge_orchestrations_by(timeout=timedelta(seconds=10))
    return {
        "purged": result.deleted_instance_count,
        "isComplete": result.is_complete,
        "left": left(hub, ids),
    }
