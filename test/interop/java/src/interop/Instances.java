package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.microsoft.durabletask.NewOrchestrationInstanceOptions;
import com.microsoft.durabletask.TaskOrchestrationContext;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeoutException;

/** States, custom status, histories, ids, purges. */
final class Instances extends Area {
  private final List<String> seen = new CopyOnWriteArrayList<>();

  Instances() {
    activity("addOne", given -> given.asInt() + 1);
    activity("echo", given -> given);
    ends();
    steps();
    reports();
    reads();
    starts();
    waits();
    purges();
  }

  private void ends() {
    orchestrator("empty", (context, given) -> "done");
    orchestrator(
        "broken",
        (context, given) -> {
          throw new IllegalStateException("out of order");
        });
    orchestrator("startedAt", (context, given) -> context.getCurrentInstant().toString());
    orchestrator(
        "listens",
        (context, given) -> context.waitForExternalEvent("go", JsonNode.class).await());
  }

  private void steps() {
    orchestrator(
        "reports",
        (context, given) -> {
          for (JsonNode status : given) {
            if (status.isNull()) context.clearCustomStatus();
            else context.setCustomStatus(status);
            context.waitForExternalEvent("next").await();
          }
          return null;
        });
    orchestrator(
        "looksAround",
        (context, given) -> {
          seen.add("start " + context.getIsReplaying());
          context.callActivity("echo", 1, JsonNode.class).await();
          seen.add("end " + context.getIsReplaying());
          return "done";
        });
    orchestrator(
        "callsEachOnce",
        (context, given) -> {
          context.callActivity("addOne", 1, JsonNode.class).await();
          context.createTimer(Duration.ofMillis(10)).await();
          return context.callSubOrchestrator("empty", null, JsonNode.class).await();
        });
    orchestrator(
        "remembers",
        (context, given) -> {
          ObjectNode first = momentOf(context);
          JsonNode firstAsItWas = context.callActivity("echo", first, JsonNode.class).await();
          ObjectNode second = momentOf(context);
          JsonNode secondAsItWas = context.callActivity("echo", second, JsonNode.class).await();
          List<JsonNode> asTheyWere = List.of(firstAsItWas, secondAsItWas);
          return Json.object("first", first, "second", second, "asTheyWere", asTheyWere);
        });
  }

  private static ObjectNode momentOf(TaskOrchestrationContext context) {
    String time = context.getCurrentInstant().toString();
    return Json.object("id", context.newUUID().toString(), "time", time);
  }

  private void reports() {
    scenario(
        "the custom status of the first turn is there when the start was waited for",
        (hub, given) -> {
          String instanceId = hub.start("reports", List.of(Json.object("step", 1)));
          ObjectNode atStart = hub.started(instanceId);
          hub.client.raiseEvent(instanceId, "next");
          return List.of(atStart, hub.completed(instanceId));
        });
    command(
        "report",
        (hub, given) -> {
          String instanceId = hub.start("reports", given.get(0));
          for (int i = 0; i < given.get(0).size(); i++) hub.client.raiseEvent(instanceId, "next");
          return hub.completed(instanceId);
        });
    scenario(
        "input, output and custom status are left out when they are not asked for",
        (hub, given) -> {
          String instanceId = hub.start("reports", List.of("status"));
          hub.client.raiseEvent(instanceId, "next");
          hub.completed(instanceId);
          return hub.state(instanceId, false);
        });
  }

  private void reads() {
    scenario(
        "the history of an activity, a timer and a child has exactly twelve events",
        (hub, given) -> hub.run("callsEachOnce", null));
    scenario("an unknown instance has no state", (hub, given) -> hub.state(Hub.newId("nobody")));
    scenario(
        "identifiers and times that an orchestrator makes are the same at each replay",
        (hub, given) -> hub.run("remembers", null));
    scenario(
        "an orchestrator is told what is replayed",
        (hub, given) -> {
          hub.outputOf("looksAround", null);
          return seen;
        });
  }

  private void starts() {
    scenario(
        "starting an instance that is running is ALREADY_EXISTS",
        (hub, given) -> {
          String instanceId = hub.startAndWait("listens", null);
          JsonNode refused = Hub.refusal(() -> hub.start("empty", null, instanceId));
          hub.client.raiseEvent(instanceId, "go", 1);
          return Json.object("refused", refused, "state", hub.completed(instanceId));
        });
    scenario(
        "starting a completed, failed or terminated instance again replaces it",
        (hub, given) -> {
          String instanceId = Hub.newId("again");
          hub.completed(hub.start("broken", null, instanceId));
          hub.completed(hub.start("empty", 1, instanceId));
          hub.started(hub.start("listens", null, instanceId));
          hub.client.terminate(instanceId, "ended");
          hub.completed(instanceId);
          return hub.completed(hub.start("empty", 2, instanceId));
        });
    scenario(
        "an orchestration does not start before its scheduled time",
        (hub, given) -> {
          Instant startAt = Instant.now().plusMillis(1500);
          var options = new NewOrchestrationInstanceOptions().setStartTime(startAt);
          String instanceId = hub.start("startedAt", null, Hub.newId("scheduled"), options);
          String status = hub.status(instanceId);
          ObjectNode state = hub.completed(instanceId);
          return Json.object("startAt", startAt.toString(), "status", status, "state", state);
        });
  }

  private void waits() {
    scenario(
        "a wait begun before the instance exists ends with the instance",
        (hub, given) -> {
          String instanceId = Hub.newId("later");
          var seen = CompletableFuture.supplyAsync(() -> completedOf(hub, instanceId));
          hub.start("empty", null, instanceId);
          return List.of(seen.get());
        });
    scenario(
        "a wait that is given up does not disturb the instance",
        (hub, given) -> {
          String instanceId = hub.startAndWait("listens", null);
          boolean waits = hub.doesNotComplete(instanceId);
          hub.client.raiseEvent(instanceId, "go", 1);
          return Json.object("waits", waits, "state", hub.completed(instanceId));
        });
  }

  private static ObjectNode completedOf(Hub hub, String instanceId) {
    try {
      return hub.completed(instanceId);
    } catch (TimeoutException error) {
      throw new IllegalStateException(error);
    }
  }

  private void purges() {
    scenario(
        "a purged instance is gone and its id is free",
        (hub, given) -> {
          String instanceId = hub.run("empty", null).get("instanceId").asText();
          int purged = hub.client.purgeInstance(instanceId).getDeletedInstanceCount();
          ObjectNode state = hub.state(instanceId);
          ObjectNode again = hub.completed(hub.start("empty", 3, instanceId));
          return Json.object("purged", purged, "state", state, "again", again);
        });
    scenario(
        "a running or an unknown instance is not purged",
        (hub, given) -> {
          String instanceId = hub.startAndWait("listens", null);
          List<Integer> purged =
              List.of(
                  hub.client.purgeInstance(instanceId).getDeletedInstanceCount(),
                  hub.client.purgeInstance(Hub.newId("nobody")).getDeletedInstanceCount());
          hub.client.raiseEvent(instanceId, "go", "alive");
          return Json.object("purged", purged, "state", hub.completed(instanceId));
        });
  }
}
