package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.microsoft.durabletask.RetryPolicy;
import com.microsoft.durabletask.TaskOptions;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** Orchestrations that fail and are rewound: not by the SDK's client, which has no means for it. */
final class Rewind extends Area {
  private static final TaskOptions TWO_ATTEMPTS =
      new TaskOptions(new RetryPolicy(2, Duration.ofMillis(1)));

  private final ConcurrentMap<String, Integer> runs = new ConcurrentHashMap<>();

  Rewind() {
    activity("succeeds", given -> count(given.asText() + " good"));
    activity(
        "failsUntil",
        given -> {
          int run = count(given.get("key").asText());
          if (run >= given.get("goodRun").asInt()) return run;
          throw new IllegalStateException("run " + run + " failed");
        });
    orchestrators();
    command("run", (hub, given) -> hub.run(given.get(0).asText(), given.get(1)));
    command("completed", (hub, given) -> hub.completed(given.get(0).asText()));
    command("purge", (hub, given) -> hub.client.purgeInstance(given.get(0).asText()));
    command("getRuns", (hub, given) -> runs.get(given.get(0).asText()));
  }

  private void orchestrators() {
    orchestrator(
        "twoSteps",
        (context, given) -> {
          int first = context.callActivity("succeeds", given.get("key"), Integer.class).await();
          return List.of(first, context.callActivity("failsUntil", given, Integer.class).await());
        });
    orchestrator(
        "levels",
        (context, given) -> {
          int depth = given.get("depth").asInt();
          if (depth == 0) return context.callActivity("failsUntil", given, Integer.class).await();
          JsonNode below = ((ObjectNode) given.deepCopy()).put("depth", depth - 1);
          String instanceId = given.get("key").asText() + "-" + depth;
          return context.callSubOrchestrator("levels", below, instanceId, Integer.class).await();
        });
    orchestrator(
        "retries",
        (context, given) -> {
          int first =
              context.callActivity("failsUntil", given, TWO_ATTEMPTS, Integer.class).await();
          return List.of(
              first, context.callActivity("succeeds", given.get("key"), Integer.class).await());
        });
  }

  /** How often something has run, this time included. */
  private int count(String key) {
    return runs.merge(key, 1, Integer::sum);
  }
}
