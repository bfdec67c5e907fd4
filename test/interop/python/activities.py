"""Results, failures and retries of activities."""

import threading
from collections import Counter
from datetime import timedelta

from durabletask.task import RetryPolicy, TaskFailedError, when_all

from area import Area

area = Area()
attempts = Counter()
attempts_lock = threading.Lock()
THREE_ATTEMPTS = RetryPolicy(
    first_retry_interval=timedelta(milliseconds=1), max_number_of_attempts=3
)


@area.activity
def add_one(_, given):
    return given + 1


@area.activity
def square(_, given):
    return given * given


@area.activity
def who_am_i(context, _):
    return {"orchestrationId": context.orchestration_id, "taskId": context.task_id}


@area.activity
def fail(_context, _):
    raise ArithmeticError("the reactor is too hot")


@area.activity
def fail_until(context, good_attempt):
    with attempts_lock:
        attempts[context.orchestration_id] += 1
        attempt = attempts[context.orchestration_id]
    if attempt < good_attempt:
        raise RuntimeError(f"attempt {attempt} failed")
    return attempt


@area.orchestrator
def empty(_context, _):
    return None


@area.orchestrator
def chain(context, given):
    first = yield context.call_activity(add_one, input=given)
    second = yield context.call_activity(square, input=first)
    return (yield context.call_activity(add_one, input=second))


@area.orchestrator
def fan_out(context, count):
    return (yield when_all([context.call_activity(square, input=i) for i in range(count)]))


@area.orchestrator
def asks_who(context, _):
    return (yield context.call_activity(who_am_i))


@area.orchestrator
def failing(context, _):
    yield context.call_activity(fail)


@area.orchestrator
def forgiving(context, _):
    try:
        yield context.call_activity(fail)
    except TaskFailedError as error:
        after = yield context.call_activity(add_one, input=1)
        return {"caught": str(error), "after": after}


@area.orchestrator
def unknown_activity(context, _):
    yield context.call_activity("nobodyHasThis")


@area.orchestrator
def retrying(context, good_attempt):
    return (
        yield context.call_activity(fail_until, input=good_attempt, retry_policy=THREE_ATTEMPTS)
    )


@area.orchestrator
def labelled(context, _):
    return (yield context.call_activity(add_one, input=1, tags={"colour": "red"}))


@area.scenario("an orchestration that does nothing completes without an output")
def _(hub):
    return hub.run(empty)


@area.scenario("a chain hands each activity's result to the next")
def _(hub):
    return hub.output_of(chain, 2)


@area.scenario("the results of a hundred activities come back in the order of the calls")
def _(hub):
    return hub.output_of(fan_out, 100)


@area.scenario("an activity is told its orchestration and its task id")
def _(hub):
    return hub.run(asks_who)


@area.scenario("a failed activity fails the orchestration, and its text passes up")
def _(hub):
    state = hub.run(failing)
    history = hub.history(state["instanceId"])
    return {
        "state": state,
        "failed": [event for event in history if event["type"] == "TaskFailed"],
    }


@area.scenario("failure details are left out when payloads are not asked for")
def _(hub):
    state = hub.run(failing)
    return hub.state(state["instanceId"], fetch_payloads=False)


@area.scenario("an orchestration may catch a failure and go on")
def _(hub):
    return hub.output_of(forgiving)


@area.scenario("an activity that no worker has registered fails its task")
def _(hub):
    return hub.run(unknown_activity)


@area.scenario("an orchestrator that no worker has registered fails")
def _(hub):
    return hub.run("nobodyHasThisEither")


def retried(hub, good_attempt):
    state = hub.run(retrying, good_attempt)
    return {"state": state, "attempts": attempts[state["instanceId"]]}


@area.scenario("a retry policy stops at the first attempt that succeeds")
def _(hub):
    return retried(hub, 3)


@area.scenario("a retry policy of three attempts makes exactly three")
def _(hub):
    return retried(hub, 4)


@area.scenario("each attempt and each pause between them is in the history")
def _(hub):
    return hub.types(hub.run(retrying, 2)["instanceId"])


@area.scenario("tags of an activity are in the history")
def _(hub):
    history = hub.history(hub.run(labelled)["instanceId"])
    return [event for event in history if event["type"] == "TaskScheduled"]
