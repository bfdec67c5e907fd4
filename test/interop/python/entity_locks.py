"""Critical sections: entities that an orchestration has locked."""

import threading

from account import Accounts, add_accounts, id_of, locks, new_entity_id, outcome, sent
from area import Area

area = Area()
add_accounts(area)


@area.activity
def echo(_, given):
    return given


@area.orchestrator
def adds_one_to_each(context, ids):
    """By a call to read and a call to write, with an activity in between."""
    with (yield context.lock_entities([id_of(to) for to in ids])):
        for to in ids:
            before = yield from outcome(context, sent(to, "get"))
            read = yield context.call_activity(echo, input=before["result"])
            yield from outcome(context, sent(to, "set", read + 1))
    return "done"


@area.scenario(
    "what others send to a locked entity waits for the end of the critical section"
)
def _(hub):
    accounts, to = Accounts(hub), new_entity_id()
    holder, let_go = accounts.hold([to], [sent(to, "add", 1)])
    accounts.signal(to, "multiply", 10)
    called = []
    calling = threading.Thread(target=lambda: called.append(accounts.call(to, "multiply", 3)))
    calling.start()
    let_go()
    output = hub.output_of_started(holder)
    calling.join()
    return {"output": output, "called": called}


@area.scenario("a locked entity shows the instance id of its holder")
def _(hub):
    accounts, to = Accounts(hub), new_entity_id()
    accounts.call(to, "set", "there")
    holder, let_go = accounts.hold([to])
    accounts.signal(to, "set", "later")
    locked = accounts.entity(to)
    let_go()
    hub.completed(holder)
    return {
        "holder": holder,
        "locked": locked,
        "afterwards": [*accounts.lock_and([to], "get"), accounts.call(to, "get")],
        "unlocked": accounts.entity(to),
    }


@area.scenario(
    "an orchestration locks three entities at once, and one that it names twice once"
)
def _(hub):
    accounts, ids = Accounts(hub), [new_entity_id() for _ in range(3)]
    for to in ids:
        accounts.call(to, "set", "there")
    holder, let_go = accounts.hold([ids[0], *reversed(ids)])
    locked_by = [accounts.entity(to)["lockedBy"] == holder for to in ids]
    let_go()
    hub.completed(holder)
    return {"lockedByIt": locked_by, "afterwards": accounts.lock_and(ids, "get")}


@area.scenario(
    "orchestrations that lock the same two entities in either order all get them, "
    "one after the other"
)
def _(hub):
    accounts, ids = Accounts(hub), [new_entity_id(), new_entity_id()]
    for to in ids:
        accounts.call(to, "set", 0)
    orders = [ids if i % 2 == 0 else ids[::-1] for i in range(8)]
    started = [hub.start(adds_one_to_each, order) for order in orders]
    outputs = [hub.output_of_started(instance_id) for instance_id in started]
    return {"outputs": outputs, "afterwards": accounts.lock_and(ids, "get")}


@area.scenario("an orchestration that fails in its critical section frees its entities")
def _(hub):
    ids = [new_entity_id(), new_entity_id()]
    state = hub.run(locks, {"ids": ids, "calls": [], "ending": "fails"})
    return {"status": state["status"], "afterwards": Accounts(hub).lock_and(ids, "add", 1)}


@area.scenario("an orchestration that is terminated in its critical section frees its entities")
def _(hub):
    accounts, ids = Accounts(hub), [new_entity_id(), new_entity_id()]
    holder, let_go = accounts.hold(ids)
    hub.client.terminate_orchestration(holder, output="ended")
    then = accounts.lock_and(ids, "add", 1)
    let_go()
    return then


@area.scenario(
    "an orchestration that continues as new in its critical section frees its entities"
)
def _(hub):
    ids = [new_entity_id(), new_entity_id()]
    calls = [sent(to, "add", 1) for to in ids]
    return hub.output_of(locks, {"ids": ids, "calls": calls, "ending": "continues as new"})


@area.scenario(
    "an orchestration that is terminated before its lock is granted is not given it"
)
def _(hub):
    accounts, to = Accounts(hub), new_entity_id()
    _holder, let_go = accounts.hold([to])
    section = {"ids": [to], "calls": [sent(to, "set", "taken")]}
    waiting = hub.start_and_wait(locks, section)
    hub.client.terminate_orchestration(waiting, output="ended")
    let_go()
    return accounts.lock_and([to], "add", 1)


@area.scenario("releasing a lock twice frees no entity of anybody else")
def _(hub):
    accounts, to, gate = Accounts(hub), new_entity_id(), hub.gates.new()
    section = {"ids": [to], "calls": [], "ending": "releases twice", "secondGate": gate}
    first = hub.start(locks, section)
    hub.gates.wait_until_reached(gate)
    second, let_go = accounts.hold([to], [sent(to, "add", 1)])
    hub.gates.open(gate)
    outputs = [hub.output_of_started(first)]
    # It would be before the holder's own call, if the entity were free.
    accounts.signal(to, "set", 10)
    let_go()
    return [*outputs, hub.output_of_started(second)]


@area.scenario("a critical section whose call fails goes on and is left")
def _(hub):
    to = new_entity_id()
    calls = [sent(to, "break", []), sent(to, "add", 1)]
    outcomes = hub.output_of(locks, {"ids": [to], "calls": calls})
    return {"outcomes": outcomes, "afterwards": Accounts(hub).lock_and([to], "get")}


@area.command
def begin(hub, to, gate):
    """What a sidecar does not survive."""
    section = {"ids": [to], "gate": gate, "calls": [sent(to, "add", 1)]}
    holder = hub.start(locks, section)
    hub.gates.wait_until_reached(gate)
    Accounts(hub).signal(to, "multiply", 10)
    return holder


@area.command
def finish(hub, holder, to, gate):
    other = hub.start(locks, {"ids": [to], "calls": [sent(to, "add", 1)]})
    hub.gates.open(gate)
    return [hub.output_of_started(instance_id) for instance_id in [holder, other]]
