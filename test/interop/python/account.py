"""An entity that does what it is told, and orchestrators that tell it.

What is sent is `{"to": entity id, "operation": name, "input": value, "at": POSIX seconds or None}`.
"""

import time
import uuid
from datetime import datetime, timezone

from durabletask.entities import EntityInstanceId
from durabletask.task import TaskFailedError

from hub import new_id


def new_entity_id():
    return f"@account@{uuid.uuid4()}"


def id_of(text):
    return EntityInstanceId.parse(text)


def sent(to, operation, given=None, at=None):
    return {"to": to, "operation": operation, "input": given, "at": at}


def signal_from(sender, each):
    at = each["at"] and datetime.fromtimestamp(each["at"], timezone.utc)
    sender.signal_entity(id_of(each["to"]), each["operation"], each["input"], at)


def account_at(gates):
    """The entity: its state is any value, at the beginning none."""

    def account(context, given):
        state = context.get_state()
        match context.operation:
            case "get":
                return state
            case "set":
                context.set_state(given)
            case "add":
                context.set_state((state or 0) + given)
            case "multiply":
                context.set_state((state or 0) * given)
            case "append":
                context.set_state([*(state or []), given])
            case "delete":
                context.set_state(None)
            case "forward":
                for each in given:
                    signal_from(context, each)
            case "break":
                context.set_state("broken")
                for each in given:
                    signal_from(context, each)
                raise IndexError("out of range")
            case "tell":
                facts = {"state": state, "at": time.time()}
                return context.schedule_new_orchestration("returns", facts, instance_id=given)
            case "pass":
                return gates().pass_through(given)
            case operation:
                raise ValueError(f"there is no operation {operation}")
        return context.get_state()

    return account


def returns(_, given):
    return given


def signals(context, given):
    for each in given:
        signal_from(context, each)


def outcome(context, each):
    """Calls an operation, and catches its failure."""
    try:
        call = context.call_entity(id_of(each["to"]), each["operation"], each["input"])
        return {"result": (yield call)}
    except TaskFailedError as error:
        return {"failed": {"type": error.details.error_type, "message": error.details.message}}


def calls(context, given):
    outcomes = []
    for each in given:
        outcomes.append((yield from outcome(context, each)))
    return outcomes


def locks(context, section):
    """How it leaves is its `ending`: by a release, if it does not say."""
    ids = section["ids"]
    ending = section.get("ending")
    with (yield context.lock_entities([id_of(each) for each in ids])) as lock:
        if gate := section.get("gate"):
            yield context.call_activity("pass_gate", input=gate)
        outcomes = yield from calls(context, section["calls"])
        if ending == "fails":
            raise RuntimeError("crashed")
        if ending == "continues as new":
            context.continue_as_new({"ids": ids, "calls": section["calls"]})
            return None
    if gate := section.get("secondGate"):
        yield context.call_activity("pass_gate", input=gate)
    if ending == "releases twice":
        lock.__exit__()
    return outcomes


def add_accounts(area):
    """What an area needs to work with them."""

    def pass_gate(_, gate):
        return area.gates.pass_through(gate)

    area.entity("account", account_at(lambda: area.gates))
    for orchestrator in [returns, signals, calls, locks]:
        area.orchestrator(orchestrator)
    area.activity(pass_gate)


class Accounts:
    """What scenarios do with entities of a hub."""

    def __init__(self, hub):
        self.hub = hub

    def outcomes(self, *given):
        return self.hub.output_of(calls, list(given))

    def call(self, to, operation, given=None):
        """Calls an operation that must succeed."""
        [outcome] = self.outcomes(sent(to, operation, given))
        return outcome["result"]

    def signal(self, to, operation, given=None, at=None):
        signal_from(self.hub.client, sent(to, operation, given, at))

    def told(self, instance_id):
        """What an entity says by `tell`."""
        return self.hub.output_of_started(instance_id)

    def entity(self, to, **options):
        return entity_facts(self.hub.client.get_entity(id_of(to), **options))

    def lock_and(self, ids, operation, given=None):
        """A critical section of anybody."""
        section = {"ids": ids, "calls": [sent(to, operation, given) for to in ids]}
        return [outcome["result"] for outcome in self.hub.output_of(locks, section)]

    def hold(self, ids, given=(), **section):
        """Starts an orchestration, and waits until it has locked its entities."""
        gate = self.hub.gates.new()
        section = {"ids": ids, "calls": list(given), "gate": gate, **section}
        instance_id = self.hub.start(locks, section)
        self.hub.gates.wait_until_reached(gate)
        return instance_id, lambda: self.hub.gates.open(gate)


def new_teller():
    return new_id("told")


def entity_facts(entity):
    """An entity as the SDK gives it, or null."""
    if entity is None:
        return None
    return {
        "id": str(entity.id),
        "includesState": entity.includes_state,
        "state": entity.get_typed_state() if entity.get_state() else None,
        "backlog": entity.backlog_queue_size,
        # Its method for it takes the id of an instance for that of an entity, and fails.
        "lockedBy": entity._locked_by or None,
    }
