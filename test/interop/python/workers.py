"""Several workers, their filters and versions, and hubs. Those that are killed: lost_worker.py."""

import threading
from collections import Counter

from durabletask.task import when_all
from durabletask.worker import VersionFailureStrategy, VersioningOptions, VersionMatchStrategy

import lost_worker
from area import Area
from hub import Hub, new_id, new_worker

area = Area()


def listens(context, _):
    return (yield context.wait_for_external_event("go"))


def squares(context, count):
    return (yield when_all([context.call_activity("square", input=i) for i in range(count)]))


def started(address, task_hub, register, **options):
    worker = new_worker(address, task_hub, **options)
    register(worker)
    worker.start()
    return worker


def says(name, text):
    def orchestrator(_context, _):
        return text

    orchestrator.__name__ = name
    return lambda worker: worker.add_orchestrator(orchestrator)


def stop(*workers):
    """Each takes a second to stop: at once."""
    stopping = [threading.Thread(target=worker.stop) for worker in workers]
    for thread in stopping:
        thread.start()
    for thread in stopping:
        thread.join()


@area.scenario("two workers share the work, and each activity runs once")
def _(hub):
    hub = Hub(hub.address, task_hub=(task_hub := new_id("hub")))
    runs = [Counter(), Counter()]
    lock = threading.Lock()

    def register_for(mine):
        def square(_, given):
            with lock:
                mine[given] += 1
            return given * given

        def register(worker):
            worker.add_orchestrator(squares)
            worker.add_activity(square)

        return register

    workers = [started(hub.address, task_hub, register_for(mine)) for mine in runs]
    state = hub.run(squares, 200)
    stop(*workers)
    return {"state": state, "runs": [sorted(mine.elements()) for mine in runs]}


@area.scenario("another worker goes on with an orchestration whose worker has stopped")
def _(hub):
    hub = Hub(hub.address, task_hub=(task_hub := new_id("hub")))

    def register(worker):
        worker.add_orchestrator(listens)

    first = started(hub.address, task_hub, register)
    instance_id = hub.start_and_wait(listens)
    first.stop()
    hub.event(instance_id, "go", "on")
    second = started(hub.address, task_hub, register)
    state = hub.completed(instance_id)
    second.stop()
    return state


@area.scenario("an orchestration that no worker's filter takes waits for one that does")
def _(hub):
    hub = Hub(hub.address, task_hub=(task_hub := new_id("hub")))

    def register(name):
        def with_filter(worker):
            says(name, name)(worker)
            worker.use_work_item_filters()

        return with_filter

    workers = [started(hub.address, task_hub, register("known"))]
    stranger = hub.start("stranger")
    known = hub.run("known")
    status = hub.status(stranger)
    workers.append(started(hub.address, task_hub, register("stranger")))
    state = hub.completed(stranger)
    stop(*workers)
    return {"known": known, "status": status, "stranger": state}


def versioned(version, match, failure, register):
    def with_version(worker):
        register(worker)
        worker.use_versioning(
            VersioningOptions(version=version, match_strategy=match, failure_strategy=failure)
        )

    return with_version


@area.scenario("an orchestration that one worker rejects for its version goes to another")
def _(hub):
    hub = Hub(hub.address, task_hub=(task_hub := new_id("hub")))
    versions = ["1.0.0", "2.0.0"]
    strict, reject = VersionMatchStrategy.STRICT, VersionFailureStrategy.REJECT
    workers = [
        started(
            hub.address,
            task_hub,
            versioned(version, strict, reject, says("says", f"by {version}")),
        )
        for version in versions
    ]
    outputs = [hub.output_of("says", version=version) for version in reversed(versions)]
    stop(*workers)
    return outputs


@area.scenario("an orchestration of the wrong version fails where the worker says so")
def _(hub):
    hub = Hub(hub.address, task_hub=(task_hub := new_id("hub")))
    older, fail = VersionMatchStrategy.CURRENT_OR_OLDER, VersionFailureStrategy.FAIL
    register = versioned("1.0.0", older, fail, says("says", "something"))
    worker = started(hub.address, task_hub, register)
    states = [hub.run("says", version=version) for version in ["1.1.0", "0.9.0"]]
    worker.stop()
    return states


@area.scenario("task hubs do not see each other's instances")
def _(hub):
    one, other = [Hub(hub.address, task_hub=new_id("hub")) for _ in range(2)]
    instance_id = new_id("same")
    one.start("anything", "of one", instance_id=instance_id)
    unseen = other.state(instance_id)
    other.start("anything", "of the other", instance_id=instance_id)
    inputs = [each.state(instance_id)["input"] for each in [one, other]]
    # The sidecar would complain of work that nobody takes.
    for each in [one, other]:
        each.client.terminate_orchestration(instance_id)
    return {"unseen": unseen, "inputs": inputs}


@area.command
def go_on(hub, task_hub, instance_id, gates):
    """Goes on in a hub, through all of these gates, with what another program has started there."""
    lost_worker.area.gates = hub.gates
    for gate in gates:
        hub.gates.open(gate)
    worker = started(hub.address, task_hub, lost_worker.area.register)
    state = Hub(hub.address, task_hub).completed(instance_id)
    worker.stop()
    return state


class Restarted:
    """A worker and a client of a sidecar that comes and goes."""

    def __init__(self, address):
        self.hub = Hub(address)
        self.worker = started(address, None, lambda worker: worker.add_orchestrator(listens))
        self.instance_id = new_id("listens")


restarted = {}


@area.command
def begin(_hub, address):
    """Starts a worker and an orchestration, whether there is a sidecar or not yet."""
    restarted[address] = Restarted(address)
    it = restarted[address]
    threading.Thread(target=lambda: it.hub.start(listens, instance_id=it.instance_id)).start()


@area.command
def begun(_hub, address):
    it = restarted[address]
    return it.hub.started(it.instance_id)["status"]


@area.command
def finish(_hub, address):
    it = restarted.pop(address)
    it.hub.event(it.instance_id, "go", "on")
    state = it.hub.completed(it.instance_id)
    it.worker.stop()
    it.hub.client.close()
    return state
