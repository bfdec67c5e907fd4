"""What the client finds of orchestrations, and the ids that it lists."""

from datetime import datetime, timedelta, timezone

from durabletask.client import OrchestrationQuery, OrchestrationStatus

from account import Accounts, add_accounts, new_entity_id, returns
from area import Area
from hub import Hub, facts, new_id

area = Area()
add_accounts(area)
MICROSECOND = timedelta(microseconds=1)


@area.orchestrator
def fails(_context, _):
    raise RuntimeError("out of order")


@area.orchestrator
def waits(context, _):
    yield context.wait_for_external_event("go")


def found(hub, *statuses, **query):
    """The last parts of the ids."""
    names = [OrchestrationStatus[status] for status in statuses] or None
    query = OrchestrationQuery(runtime_status=names, **query)
    states = hub.client.get_all_orchestration_states(query)
    return [last_part(state.instance_id) for state in states]


def last_part(instance_id):
    return instance_id.rsplit(" ")[-1]


def start_pending(hub, count, prefix):
    """Orchestrations that do not begin within this hour."""
    start_at = datetime.now(timezone.utc) + timedelta(hours=1)
    ids = [f"{prefix} {i:02}" for i in range(count)]
    for instance_id in ids:
        hub.start("nobody's", instance_id=instance_id, start_at=start_at)
    return ids


def created_at(hub, instance_id):
    return hub.client.get_orchestration_state(instance_id).created_at


def terminate_all(hub, ids):
    """One after the other. Returns the times of their ends."""
    ends = []
    for instance_id in ids:
        hub.client.terminate_orchestration(instance_id, output="ended")
        ends.append(hub.client.get_orchestration_state(instance_id).last_updated_at)
    return ends


def new_hub(hub):
    return Hub(hub.address, task_hub=new_id("hub"))


@area.scenario("orchestrations are found by their status")
def _(hub):
    prefix = new_id("statuses")
    hub.run(returns, instance_id=f"{prefix} completed")
    hub.run(fails, instance_id=f"{prefix} failed")
    for name in ["running", "suspended", "terminated"]:
        hub.start_and_wait(waits, instance_id=f"{prefix} {name}")
    hub.client.suspend_orchestration(f"{prefix} suspended")
    hub.client.terminate_orchestration(f"{prefix} terminated", output="ended")
    start_pending(hub, 1, prefix)
    statuses = ["COMPLETED", "FAILED", "RUNNING", "SUSPENDED", "TERMINATED", "PENDING"]
    query = {"instance_id_prefix": prefix}
    return {
        "each": [found(hub, status, **query) for status in statuses],
        "two": found(hub, "FAILED", "PENDING", **query),
        "all": found(hub, **query),
    }


@area.scenario("orchestrations are found by the time of their creation")
def _(hub):
    other = new_hub(hub)
    ids = start_pending(other, 4, "pending")
    since = {"created_time_from": created_at(other, ids[1])}
    # The SDK has whole microseconds: the next one is behind it.
    until = {"created_time_to": created_at(other, ids[2]) + MICROSECOND}
    return [found(other, **times) for times in [since, until, {**since, **until}]]


@area.scenario("orchestrations are found by the beginning of their ids")
def _(hub):
    prefix = new_id("prefix_%")
    start_pending(hub, 2, prefix)
    start_pending(hub, 1, prefix.upper())
    prefixes = [prefix, prefix.upper(), new_id("nobody")]
    return [found(hub, instance_id_prefix=each) for each in prefixes]


@area.scenario("each filter of a query narrows the others")
def _(hub):
    prefix = new_id("pending")
    ids = start_pending(hub, 3, prefix)
    hub.client.terminate_orchestration(ids[2], output="ended")
    query = {"instance_id_prefix": prefix, "created_time_from": created_at(hub, ids[1])}
    return [found(hub, status, **query) for status in ["PENDING", "TERMINATED", "FAILED"]]


@area.scenario("twenty-one orchestrations are found five by five")
def _(hub):
    prefix = new_id("pending")
    start_pending(hub, 21, prefix)
    return found(hub, instance_id_prefix=prefix, max_instance_count=5)


@area.scenario("a query has inputs and outputs only when it asks for them")
def _(hub):
    instance_id = hub.run(returns, "text")["instanceId"]

    def find(wish):
        query = OrchestrationQuery(
            instance_id_prefix=instance_id, fetch_inputs_and_outputs=wish
        )
        return [facts(state) for state in hub.client.get_all_orchestration_states(query)]

    return {"without": find(False), "with": find(True)}


@area.scenario("entities are not among the orchestrations")
def _(hub):
    accounts, to = Accounts(hub), new_entity_id()
    accounts.call(to, "set", 1)
    return {"found": found(hub, instance_id_prefix="@"), "entity": accounts.entity(to)}


@area.scenario(
    "the ids of ended orchestrations are listed in the order of their ends, page by page"
)
def _(hub):
    other = new_hub(hub)
    ids = start_pending(other, 6, "pending")
    terminate_all(other, ids[4::-1])
    pages = [other.client.list_instance_ids(page_size=2)]
    while token := pages[-1].continuation_token:
        pages.append(other.client.list_instance_ids(page_size=2, continuation_token=token))
    return [[last_part(each) for each in page.items] for page in pages]


@area.scenario(
    "the ids of ended orchestrations are listed by status and by the time of their ends"
)
def _(hub):
    other = new_hub(hub)
    ids = start_pending(other, 4, "pending")
    ends = terminate_all(other, ids)

    def listed(**options):
        page = other.client.list_instance_ids(**options)
        return [last_part(each) for each in page.items]

    return [
        listed(runtime_status=[OrchestrationStatus.TERMINATED]),
        listed(runtime_status=[OrchestrationStatus.COMPLETED, OrchestrationStatus.FAILED]),
        listed(completed_time_from=ends[1]),
        listed(completed_time_to=ends[2] + MICROSECOND),
    ]
