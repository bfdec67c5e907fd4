package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.microsoft.durabletask.RetryPolicy;
import com.microsoft.durabletask.Task;
import com.microsoft.durabletask.TaskOptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeoutException;

/** Sub-orchestrations. */
final class Children extends Area {
  private static final TaskOptions THREE_ATTEMPTS =
      new TaskOptions(new RetryPolicy(3, Duration.ofMillis(1)));

  private final ConcurrentMap<String, Integer> runs = new ConcurrentHashMap<>();

  Children() {
    activity("passGate", given -> Gates.passThrough(given.asText()));
    activity("countRun", given -> runs.merge(given.asText(), 1, Integer::sum));
    children();
    parents();
    outputs();
    retries();
    otherEnds();
  }

  private void children() {
    orchestrator("double", (context, given) -> given.asInt() * 2);
    orchestrator(
        "broken",
        (context, given) -> {
          throw new UnsupportedOperationException("the child is not well");
        });
    orchestrator(
        "waiting",
        (context, given) -> context.waitForExternalEvent("go", JsonNode.class).await());
    orchestrator(
        "failsUntil",
        (context, given) -> {
          int run = context.callActivity("countRun", given.get("key"), Integer.class).await();
          if (run >= given.get("goodRun").asInt()) return run;
          throw new IllegalStateException("run " + run + " failed");
        });
  }

  private void parents() {
    orchestrator(
        "callsChild",
        (context, given) -> {
          String name = given.get("name").asText();
          String instanceId = given.path("instanceId").textValue();
          return context
              .callSubOrchestrator(name, given.get("input"), instanceId, JsonNode.class)
              .await();
        });
    orchestrator(
        "callsChildren",
        (context, given) -> {
          List<Task<Integer>> tasks = new ArrayList<>();
          for (int i = 0; i < given.asInt(); i++) {
            tasks.add(context.callSubOrchestrator("double", i, Integer.class));
          }
          return context.allOf(tasks).await();
        });
    orchestrator(
        "levels",
        (context, given) -> {
          if (given.asInt() == 0) return List.of("bottom");
          JsonNode below =
              context.callSubOrchestrator("levels", given.asInt() - 1, JsonNode.class).await();
          List<String> levels = new ArrayList<>(List.of("level " + given));
          levels.addAll(Json.texts(below));
          return levels;
        });
    orchestrator(
        "retriesChild",
        (context, given) ->
            context
                .callSubOrchestrator("failsUntil", given, null, THREE_ATTEMPTS, JsonNode.class)
                .await());
    orchestrator(
        "leavesChild",
        (context, given) -> {
          String instanceId = given.get("instanceId").asText();
          context.callSubOrchestrator("waiting", null, instanceId, JsonNode.class);
          context.callActivity("passGate", given.get("gate"), JsonNode.class).await();
          return "left";
        });
  }

  private void outputs() {
    scenario(
        "a child is called by its name and its output comes back",
        (hub, given) -> hub.outputOf("callsChild", Json.object("name", "double", "input", 21)));
    scenario(
        "an orchestration that a client started has no parent",
        (hub, given) -> hub.run("double", 1));
    scenario(
        "fifty children run side by side", (hub, given) -> hub.outputOf("callsChildren", 50));
    scenario(
        "outputs pass up through three levels", (hub, given) -> hub.outputOf("levels", 3));
    scenario(
        "a child's failure passes up with its text",
        (hub, given) -> {
          ObjectNode broken = Json.object("name", "broken");
          return hub.run("callsChild", Json.object("name", "callsChild", "input", broken));
        });
    scenario(
        "a child gets the id that its parent gives it",
        (hub, given) -> {
          String child = Hub.newId("child");
          hub.run(
              "callsChild", Json.object("name", "double", "input", 1, "instanceId", child));
          return hub.state(child);
        });
  }

  private void retries() {
    scenario(
        "a child that fails twice is run three times under the same id",
        (hub, given) -> retried(hub, 3));
    scenario(
        "a child is not run more often than its retry policy says",
        (hub, given) -> retried(hub, 4));
  }

  private ObjectNode retried(Hub hub, int goodRun) throws TimeoutException {
    String key = Hub.newId("key");
    ObjectNode state = hub.run("retriesChild", Json.object("key", key, "goodRun", goodRun));
    return Json.object("state", state, "runs", runs.get(key));
  }

  private void otherEnds() {
    scenario(
        "calling a child that is running fails the call and leaves it alone",
        (hub, given) -> {
          String child = hub.startAndWait("waiting", null);
          ObjectNode call = Json.object("name", "double", "input", 1, "instanceId", child);
          ObjectNode state = hub.run("callsChild", call);
          hub.client.raiseEvent(child, "go", "still here");
          return Json.object("childId", child, "state", state, "child", hub.completed(child));
        });
    scenario(
        "a terminated child fails its parent's call",
        (hub, given) -> {
          String child = Hub.newId("child");
          ObjectNode call = Json.object("name", "waiting", "instanceId", child);
          String parent = hub.start("callsChild", call);
          hub.started(child);
          hub.client.terminate(child, "no longer needed");
          return hub.completed(parent);
        });
    scenario(
        "a child goes on when its parent has completed without it",
        (hub, given) -> {
          String child = Hub.newId("child");
          String gate = Gates.create();
          // The activity keeps the worker that it runs on, and the child needs one.
          try (Hub alone = hub.alone(2)) {
            String parent =
                alone.start("leavesChild", Json.object("instanceId", child, "gate", gate));
            alone.started(child);
            Gates.open(gate);
            ObjectNode left = alone.completed(parent);
            alone.client.raiseEvent(child, "go", 1);
            return Json.object("parent", left, "child", alone.completed(child));
          }
        });
  }
}
