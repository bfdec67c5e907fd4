"""What the client finds of entities."""

import uuid
from datetime import timedelta

from durabletask.client import EntityQuery

from account import Accounts, add_accounts, entity_facts, id_of, new_entity_id, sent
from area import Area
from hub import Hub, new_id, new_worker

area = Area()
add_accounts(area)


def found(hub, prefix, **options):
    query = EntityQuery(instance_id_starts_with=prefix, **options)
    return [entity_facts(entity) for entity in hub.client.get_all_entities(query)]


@area.scenario("an unknown entity is not there")
def _(hub):
    to = new_entity_id()
    return [Accounts(hub).entity(to), found(hub, to)]


@area.scenario("the state of an entity is left out when it is not asked for")
def _(hub):
    accounts, to = Accounts(hub), new_entity_id()
    accounts.call(to, "set", "told")
    return {
        "to": to,
        "seen": accounts.entity(to, include_state=False),
        "found": found(hub, to, include_state=False),
        "full": found(hub, to),
    }


@area.scenario("entities are found by the beginning of their ids, page by page")
def _(hub):
    key = uuid.uuid4()
    ids = [f"@account@{key}-{i}" for i in range(7)]
    Accounts(hub).outcomes(*(sent(to, "set", to) for to in reversed(ids)))
    entities = found(hub, f"Account@{key}", page_size=3)
    return [ids.index(entity["id"]) for entity in entities]


@area.scenario("entities are found by the time of their last change")
def _(hub):
    accounts, key = Accounts(hub), uuid.uuid4()
    ids = [f"@account@{key}-{i}" for i in range(3)]
    for to in ids:
        accounts.call(to, "set", 1)
    modified = hub.client.get_entity(id_of(ids[1])).last_modified

    def find(**times):
        entities = found(hub, f"@account@{key}", **times)
        return [ids.index(entity["id"]) for entity in entities]

    # The SDK has whole microseconds: the next one is behind it.
    next_one = modified + timedelta(microseconds=1)
    return [find(last_modified_from=modified), find(last_modified_to=next_one)]


@area.scenario("cleaning up removes an entity without a state")
def _(hub):
    task_hub = new_id("hub")
    other = Hub(hub.address, task_hub=task_hub)
    worker = new_worker(hub.address, task_hub)
    area.register(worker)
    worker.start()
    kept, gone = "@account@kept", "@account@gone"
    Accounts(other).outcomes(sent(kept, "set", 1), sent(gone, "set", 1), sent(gone, "delete"))
    cleaned = other.client.clean_entity_storage()
    return {
        "removed": cleaned.empty_entities_removed,
        "released": cleaned.orphaned_locks_released,
        "left": [entity["id"] for entity in found(other, None, include_transient=True)],
    }


@area.scenario("a locked entity without a state is found among the transient ones only")
def _(hub):
    accounts, to = Accounts(hub), new_entity_id()
    holder, let_go = accounts.hold([to])
    facts = {
        "holder": holder,
        "entity": accounts.entity(to),
        "found": [found(hub, to, include_transient=wish) for wish in [False, True]],
    }
    let_go()
    hub.completed(holder)
    return facts
