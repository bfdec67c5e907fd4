"""A worker and a client of the published durabletask package that do what they are told.

Each line of standard input is a command in JSON, `["raise", "order-1", "item 1"]`, and is answered
with one line: the result, in JSON, or null.
"""

import json
import sys
import threading

from durabletask.client import TaskHubGrpcClient
from durabletask.worker import TaskHubGrpcWorker

# How long something that must come may take, in seconds: less than a test.
PATIENCE = 30


class Gates:
    """Places where activities stop until they are let go on. Activities know their names only."""

    def __init__(self):
        self._lock = threading.Lock()
        self._reached = {}
        self._opened = {}

    def _event(self, events, name):
        with self._lock:
            return events.setdefault(name, threading.Event())

    def pass_through(self, name):
        self._event(self._reached, name).set()
        if not self._event(self._opened, name).wait(PATIENCE):
            raise TimeoutError(f"nobody has opened {name}")

    def wait_until_reached(self, name):
        if not self._event(self._reached, name).wait(PATIENCE):
            raise TimeoutError(f"nobody has reached {name}")

    def open(self, name):
        self._event(self._opened, name).set()


gates = Gates()


def pass_gate(_, name):
    gates.pass_through(name)
    return name


def gathers(context, given):
    """Each generation waits for an activity and an event; the last returns what all have got."""
    gate, *rest = given["gates"]
    context.set_custom_status({"items": len(given["items"])})
    passed = yield context.call_activity(pass_gate, input=gate)
    item = yield context.wait_for_external_event("item")
    items = [*given["items"], passed, item]
    if rest:
        context.continue_as_new({"gates": rest, "items": items}, save_events=True)
        return None
    return items


def main(address):
    with TaskHubGrpcWorker(host_address=address) as worker:
        worker.add_activity(pass_gate)
        worker.add_orchestrator(gathers)
        worker.start()
        client = TaskHubGrpcClient(host_address=address)

        def result(instance_id):
            state = client.wait_for_orchestration_completion(instance_id, timeout=PATIENCE)
            state.raise_if_failed()
            return state.get_output()

        commands = {
            "start": lambda instance_id, names: client.schedule_new_orchestration(
                gathers, input={"gates": names, "items": []}, instance_id=instance_id
            ),
            "reached": gates.wait_until_reached,
            "open": gates.open,
            "raise": lambda instance_id, item: client.raise_orchestration_event(
                instance_id, "item", data=item
            ),
            "suspend": lambda instance_id: client.suspend_orchestration(instance_id, reason="lunch"),
            "resume": lambda instance_id: client.resume_orchestration(instance_id, reason="back"),
            "status": lambda instance_id: client.get_orchestration_state(
                instance_id
            ).runtime_status.name,
            "result": result,
        }
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            print(json.dumps(commands[name](*arguments)), flush=True)


main(sys.argv[1])
