"""Signals and calls of entities."""

import time
import uuid

from account import (
    Accounts,
    account_at,
    add_accounts,
    calls,
    id_of,
    new_entity_id,
    new_teller,
    outcome,
    returns,
    sent,
    signals,
)
from area import Area
from hub import Hub, new_id, new_worker

area = Area()
add_accounts(area)


@area.orchestrator
def signals_and_calls(context, each):
    context.signal_entity(id_of(each["to"]), each["operation"], each["input"])
    return (yield from outcome(context, each))


@area.orchestrator
def waits_for_no_call(context, to):
    context.call_entity(id_of(to), "add", 1)


@area.scenario("a client's signal reaches its entity")
def _(hub):
    accounts, to = Accounts(hub), new_entity_id()
    accounts.signal(to, "add", 1)
    return [accounts.call(to, "add", 2), accounts.entity(to)]


@area.scenario("an orchestration calls an entity and gets its result")
def _(hub):
    to = new_entity_id()
    return Accounts(hub).outcomes(sent(to, "add", 1), sent(to, "add", 2), sent(to, "get"))


@area.scenario("an orchestration that signals an entity and ends has signalled it")
def _(hub):
    to, teller = new_entity_id(), new_teller()
    hub.output_of(signals, [sent(to, "add", 1), sent(to, "tell", teller)])
    return Accounts(hub).told(teller)


@area.scenario(
    "a failed operation reaches its caller, and its state and messages are rolled back"
)
def _(hub):
    to, other = new_entity_id(), new_entity_id()
    return Accounts(hub).outcomes(
        sent(to, "set", "whole"),
        sent(to, "break", [sent(other, "set", "broken")]),
        sent(to, "get"),
        sent(other, "get"),
    )


@area.scenario(
    "a failed operation does not take back those before it, nor stop those behind it"
)
def _(hub):
    accounts, to, gate = Accounts(hub), new_entity_id(), hub.gates.new()
    accounts.signal(to, "pass", gate)
    hub.gates.wait_until_reached(gate)
    # These are there for one batch.
    accounts.signal(to, "add", 1)
    accounts.signal(to, "break", [])
    accounts.signal(to, "add", 2)
    hub.gates.open(gate)
    return accounts.call(to, "get")


@area.scenario("calling an entity that no worker has registered fails the call")
def _(hub):
    return Accounts(hub).outcomes(sent(f"@nobody@{uuid.uuid4()}", "get"))[0]


@area.command
def keep(hub, value):
    accounts, to = Accounts(hub), new_entity_id()
    results = [accounts.call(to, "set", value), accounts.call(to, "get")]
    return [*results, accounts.entity(to)["state"]]


@area.scenario("a mebibyte passes through the input, the state and the result of an operation")
def _(hub):
    accounts, to = Accounts(hub), new_entity_id()
    text = "x" * 1024 * 1024
    return [accounts.call(to, "set", text) == text, accounts.call(to, "get") == text]


@area.command
def keep_under(hub, key):
    accounts, to = Accounts(hub), f"@account@{key}"
    accounts.signal(to, "set", key)
    return [accounts.call(to, "get"), accounts.entity(to)["id"]]


@area.scenario("the names of entities are compared without case, their keys with it")
def _(hub):
    accounts, key = Accounts(hub), f"Key-{uuid.uuid4()}"
    accounts.call(f"@ACCOUNT@{key}", "set", 1)
    ids = [f"@Account@{key}", f"@account@{key.lower()}"]
    return [accounts.call(to, "get") for to in ids]


@area.scenario("a deleted entity is gone, and begins anew")
def _(hub):
    accounts, to = Accounts(hub), new_entity_id()
    accounts.call(to, "add", 1)
    accounts.call(to, "delete")
    return [accounts.entity(to), accounts.call(to, "add", 2)]


@area.scenario("an entity signals another one")
def _(hub):
    accounts, teller = Accounts(hub), new_teller()
    second = new_entity_id()
    forwarded = [sent(second, "set", "forwarded"), sent(second, "tell", teller)]
    accounts.signal(new_entity_id(), "forward", forwarded)
    return accounts.told(teller)


@area.scenario("an entity starts an orchestration")
def _(hub):
    instance_id = new_id("started")
    result = Accounts(hub).call(new_entity_id(), "tell", instance_id)
    state = hub.completed(instance_id)
    return {
        "isItsResult": result == instance_id,
        "state": state,
        "started": hub.history(instance_id)[1],
    }


@area.command
def signal_later(hub, sender):
    accounts, to, teller = Accounts(hub), new_entity_id(), new_teller()
    at = time.time() + 1.5
    if sender == "a client":
        accounts.signal(to, "tell", teller, at)
    elif sender == "an orchestration":
        hub.output_of(signals, [sent(to, "tell", teller, at)])
    else:
        accounts.signal(new_entity_id(), "forward", [sent(to, "tell", teller, at)])
    # Nothing waits for it.
    meanwhile = accounts.call(to, "set", "meanwhile")
    return {"meanwhile": meanwhile, "told": accounts.told(teller), "at": at}


@area.command
def signal_hundred(hub, sender):
    accounts, to, teller = Accounts(hub), new_entity_id(), new_teller()
    given = [*(sent(to, "append", i) for i in range(100)), sent(to, "tell", teller)]
    if sender == "a client":
        for each in given:
            accounts.signal(to, each["operation"], each["input"])
    elif sender == "an orchestration":
        hub.output_of(signals, given)
    else:
        accounts.signal(new_entity_id(), "forward", given)
    return accounts.told(teller)["state"]


@area.scenario("a call that the orchestration does not wait for is carried out")
def _(hub):
    to = new_entity_id()
    state = hub.run(waits_for_no_call, to)
    result = Accounts(hub).call(to, "add", 1)
    return {"result": result, "last": hub.types(state["instanceId"])[-1]}


@area.scenario(
    "the history of an orchestration shows what it has sent to entities and got back"
)
def _(hub):
    to = new_entity_id()
    state = hub.run(signals_and_calls, sent(to, "add", 1))
    history = hub.history(state["instanceId"])
    return {"to": to, "instanceId": state["instanceId"], "history": history}


@area.scenario("an entity that no worker's filter takes waits for one that does")
def _(hub):
    task_hub = new_id("hub")
    accounts = Accounts(Hub(hub.address, task_hub=task_hub))

    def start(entity):
        worker = new_worker(hub.address, task_hub)
        worker.add_entity(account_at(lambda: hub.gates), entity)
        worker.add_orchestrator(returns)
        worker.use_work_item_filters()
        worker.start()

    start("known")
    known, stranger = new_teller(), new_teller()
    accounts.signal("@stranger@1", "tell", stranger)
    accounts.signal("@known@1", "tell", known)
    accounts.told(known)
    status = accounts.hub.state(stranger)
    start("stranger")
    return {"before": status, "told": accounts.told(stranger)}


@area.command
def begin(hub, to, gate):
    """What a sidecar does not survive; the second signal has reached its entity then."""
    accounts = Accounts(hub)
    accounts.signal(to, "add", 1)
    accounts.signal(to, "pass", gate)
    hub.gates.wait_until_reached(gate)
    accounts.signal(to, "add", 2)


@area.command
def finish(hub, to, gate):
    hub.gates.open(gate)
    return hub.output_of(calls, [sent(to, "get")])
