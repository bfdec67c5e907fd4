package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.microsoft.durabletask.RetryPolicy;
import com.microsoft.durabletask.Task;
import com.microsoft.durabletask.TaskFailedException;
import com.microsoft.durabletask.TaskOptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeoutException;

/** Results, failures and retries of activities. */
final class Activities extends Area {
  /** By a key that the orchestration gives: an activity is not told whose it is. */
  private final ConcurrentMap<String, Integer> attempts = new ConcurrentHashMap<>();

  private static final TaskOptions THREE_ATTEMPTS =
      new TaskOptions(new RetryPolicy(3, Duration.ofMillis(1)));
  private static final TaskOptions FIVE_BY_A_HANDLER =
      new TaskOptions(context -> context.getLastAttemptNumber() < 5);

  Activities() {
    activities();
    orchestrators();
    results();
    failures();
    retries();
  }

  private void activities() {
    activity("addOne", given -> given.asInt() + 1);
    activity("square", given -> given.asInt() * given.asInt());
    activity(
        "fail",
        given -> {
          throw new ArithmeticException("the reactor is too hot");
        });
    activity(
        "failUntil",
        given -> {
          int attempt = attempts.merge(given.get("key").asText(), 1, Integer::sum);
          if (attempt >= given.get("goodAttempt").asInt()) return attempt;
          throw new IllegalStateException("attempt " + attempt + " failed");
        });
  }

  private void orchestrators() {
    orchestrator("empty", (context, given) -> null);
    orchestrator(
        "chain",
        (context, given) -> {
          int first = context.callActivity("addOne", given, Integer.class).await();
          int second = context.callActivity("square", first, Integer.class).await();
          return context.callActivity("addOne", second, Integer.class).await();
        });
    orchestrator(
        "fanOut",
        (context, given) -> {
          List<Task<Integer>> tasks = new ArrayList<>();
          for (int i = 0; i < given.asInt(); i++) {
            tasks.add(context.callActivity("square", i, Integer.class));
          }
          return context.allOf(tasks).await();
        });
    orchestrator(
        "failing", (context, given) -> context.callActivity("fail", null, JsonNode.class).await());
    orchestrator(
        "forgiving",
        (context, given) -> {
          try {
            return context.callActivity("fail", null, JsonNode.class).await();
          } catch (TaskFailedException error) {
            int after = context.callActivity("addOne", 1, Integer.class).await();
            return Json.object("caught", error.getMessage(), "after", after);
          }
        });
    orchestrator(
        "unknownActivity",
        (context, given) -> context.callActivity("nobodyHasThis", JsonNode.class).await());
    orchestrator(
        "retrying",
        (context, given) ->
            context.callActivity("failUntil", given, THREE_ATTEMPTS, JsonNode.class).await());
    orchestrator(
        "handled",
        (context, given) ->
            context.callActivity("failUntil", given, FIVE_BY_A_HANDLER, JsonNode.class).await());
  }

  private void results() {
    scenario(
        "an orchestration that does nothing completes without an output",
        (hub, given) -> hub.run("empty", null));
    scenario(
        "a chain hands each activity's result to the next",
        (hub, given) -> hub.outputOf("chain", 2));
    scenario(
        "the results of a hundred activities come back in the order of the calls",
        (hub, given) -> hub.outputOf("fanOut", 100));
    scenario("a fan-out over nothing completes", (hub, given) -> hub.outputOf("fanOut", 0));
  }

  private void failures() {
    scenario(
        "a failed activity fails the orchestration, and its text passes up",
        (hub, given) -> hub.run("failing", null));
    scenario(
        "failure details are left out when payloads are not asked for",
        (hub, given) -> {
          ObjectNode state = hub.run("failing", null);
          return hub.state(state.get("instanceId").asText(), false);
        });
    scenario(
        "an orchestration may catch a failure and go on",
        (hub, given) -> hub.outputOf("forgiving", null));
    scenario(
        "an activity that no worker has registered fails its task",
        (hub, given) -> hub.run("unknownActivity", null));
    scenario(
        "an orchestrator that no worker has registered fails",
        (hub, given) -> hub.run("nobodyHasThisEither", null));
  }

  private void retries() {
    scenario(
        "a retry policy stops at the first attempt that succeeds",
        (hub, given) -> retried(hub, "retrying", 3));
    scenario(
        "a retry policy of three attempts makes exactly three",
        (hub, given) -> retried(hub, "retrying", 4));
    scenario(
        "each attempt and each pause between them is in the history",
        (hub, given) -> retried(hub, "retrying", 2));
    scenario(
        "a retry handler decides after each attempt",
        (hub, given) -> retried(hub, "handled", 5));
  }

  private ObjectNode retried(Hub hub, String orchestrator, int goodAttempt)
      throws TimeoutException {
    String key = Hub.newId("key");
    ObjectNode state = hub.run(orchestrator, Json.object("key", key, "goodAttempt", goodAttempt));
    return Json.object("state", state, "attempts", attempts.get(key));
  }
}
