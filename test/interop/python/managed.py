"""The package for the managed scheduler: it reaches a hub by the same protocol, with other headers."""

from durabletask.azuremanaged.client import DurableTaskSchedulerClient
from durabletask.azuremanaged.worker import DurableTaskSchedulerWorker

from area import Area
from gates import PATIENCE
from hub import NEVER, Hub, facts, new_id, new_worker, refusal

area = Area()


def doubles(context, given):
    return (yield context.call_activity("double", input=given))


def double(_, given):
    return given * 2


class Managed:
    """A client and a worker of one task hub, without a credential."""

    def __init__(self, address, task_hub, **options):
        where = {
            "host_address": address,
            "taskhub": task_hub,
            "token_credential": None,
            **options,
        }
        self.client = DurableTaskSchedulerClient(**where)
        self._worker = DurableTaskSchedulerWorker(**where)
        self._worker.add_orchestrator(doubles)
        self._worker.add_activity(double)

    def __enter__(self):
        self._worker.start()
        return self

    def __exit__(self, *_):
        self._worker.stop()

    def start(self, given):
        return self.client.schedule_new_orchestration("doubles", input=given)

    def completed(self, instance_id, seconds=PATIENCE):
        return facts(self.client.wait_for_orchestration_completion(instance_id, timeout=seconds))


def managed(hub, task_hub=None):
    return Managed(hub.address, task_hub or new_id("hub"), secure_channel=False)


@area.scenario("an orchestration with an activity completes through the managed package")
def _(hub):
    with managed(hub) as it:
        return it.completed(it.start(21))


@area.scenario("the managed package's client sees only the task hub that it names")
def _(hub):
    one, other = [managed(hub) for _ in range(2)]
    instance_id = new_id("same")
    one.client.schedule_new_orchestration("doubles", input=1, instance_id=instance_id)
    unseen = other.client.get_orchestration_state(instance_id)
    other.client.schedule_new_orchestration("doubles", input=2, instance_id=instance_id)
    states = [each.client.get_orchestration_state(instance_id) for each in [one, other]]
    # The sidecar would complain of work that nobody takes.
    for each in [one, other]:
        each.client.terminate_orchestration(instance_id)
    return {"unseen": unseen, "inputs": [state.serialized_input for state in states]}


@area.scenario("a worker of the managed package gets nothing of another task hub")
def _(hub):
    alone = managed(hub)
    waiting = alone.start(1)
    with managed(hub) as other:
        completed = other.completed(other.start(2))
        refused = refusal(lambda: alone.completed(waiting, NEVER))
        status = facts(alone.client.get_orchestration_state(waiting))["status"]
    alone.client.terminate_orchestration(waiting)
    return {"completed": completed, "refused": refused, "status": status}


@area.scenario("the managed package and the plain one work in the same task hub")
def _(hub):
    task_hub = new_id("hub")
    plain = Hub(hub.address, task_hub=task_hub)
    with managed(hub, task_hub) as it:
        of_plain = plain.run("doubles", 4)
        seen = it.completed(of_plain["instanceId"])
    worker = new_worker(hub.address, task_hub)
    worker.add_orchestrator(doubles)
    worker.add_activity(double)
    worker.start()
    of_managed = it.completed(it.start(5))
    worker.stop()
    return {"ofPlain": of_plain, "seen": seen, "ofManaged": of_managed}


@area.scenario("the managed package takes an address with its scheme, and needs no TLS then")
def _(hub):
    with Managed(f"http://{hub.address}", new_id("hub")) as it:
        return it.completed(it.start(3))
