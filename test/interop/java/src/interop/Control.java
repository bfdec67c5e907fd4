package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.microsoft.durabletask.Task;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/** Suspension, resumption and termination by the SDK's client. */
final class Control extends Area {
  Control() {
    pauses();
    activity("passGate", given -> Gates.passThrough(given.asText()));
    orchestrators();
    suspended();
    buffered();
    unchanged();
    terminated();
    families();
  }

  private void orchestrators() {
    orchestrator("empty", (context, given) -> "done");
    orchestrator(
        "listens",
        (context, given) -> context.waitForExternalEvent("go", JsonNode.class).await());
    orchestrator(
        "collects",
        (context, given) -> {
          List<JsonNode> received = new ArrayList<>();
          while (received.size() < given.asInt()) {
            received.add(context.waitForExternalEvent("item", JsonNode.class).await());
          }
          return received;
        });
    orchestrator(
        "collectsAnew",
        (context, given) -> {
          JsonNode item = context.waitForExternalEvent("item", JsonNode.class).await();
          ArrayNode received = ((ArrayNode) given.get("received")).add(item);
          int wanted = given.get("wanted").asInt();
          if (received.size() < wanted) {
            pause(context);
            context.continueAsNew(Json.object("wanted", wanted, "received", received), true);
          }
          return received;
        });
    orchestrator(
        "passes",
        (context, given) -> context.callActivity("passGate", given, JsonNode.class).await());
    orchestrator(
        "naps",
        (context, given) -> {
          context.createTimer(Duration.ofSeconds(2)).await();
          return "rested";
        });
    orchestrator(
        "callsTwo",
        (context, given) -> {
          List<Task<JsonNode>> children = new ArrayList<>();
          for (String instanceId : Json.texts(given)) {
            children.add(
                context.callSubOrchestrator("listens", null, instanceId, JsonNode.class));
          }
          return context.allOf(children).await();
        });
  }

  private void suspended() {
    scenario(
        "an event raised while suspended is delivered after the resume, not before",
        (hub, given) -> {
          String instanceId = hub.startAndWait("listens", null);
          hub.client.suspendInstance(instanceId);
          String before = hub.status(instanceId);
          hub.client.raiseEvent(instanceId, "go", 5);
          boolean waits = hub.doesNotComplete(instanceId);
          List<String> statuses = List.of(before, hub.status(instanceId));
          hub.client.resumeInstance(instanceId);
          ObjectNode state = hub.completed(instanceId);
          return Json.object("statuses", statuses, "waits", waits, "state", state);
        });
    scenario(
        "a resumed orchestration that waits is running",
        (hub, given) -> {
          String instanceId = hub.startAndWait("listens", null);
          hub.client.suspendInstance(instanceId, "lunch");
          hub.client.resumeInstance(instanceId, "back");
          return hub.status(instanceId);
        });
    scenario(
        "the history shows one suspension and one resumption, however often they are asked for",
        (hub, given) -> {
          String instanceId = hub.startAndWait("listens", null);
          hub.client.resumeInstance(instanceId);
          hub.client.suspendInstance(instanceId);
          hub.client.suspendInstance(instanceId);
          hub.client.resumeInstance(instanceId);
          hub.client.resumeInstance(instanceId);
          hub.client.raiseEvent(instanceId, "go");
          return hub.completed(instanceId);
        });
  }

  private void buffered() {
    scenario(
        "events raised while suspended keep their order",
        (hub, given) -> {
          String instanceId = hub.start("collects", 3);
          hub.client.raiseEvent(instanceId, "item", 1);
          hub.client.suspendInstance(instanceId);
          hub.client.raiseEvent(instanceId, "item", 2);
          hub.client.raiseEvent(instanceId, "item", 3);
          hub.client.resumeInstance(instanceId);
          return hub.completed(instanceId);
        });
    scenario(
        "an activity's result that comes while suspended is used after the resume",
        (hub, given) -> {
          String gate = Gates.create();
          String instanceId = hub.start("passes", gate);
          Gates.waitUntilReached(gate);
          hub.client.suspendInstance(instanceId);
          Gates.open(gate);
          boolean waits = hub.doesNotComplete(instanceId);
          hub.client.resumeInstance(instanceId);
          ObjectNode state = hub.completed(instanceId);
          return Json.object("gate", gate, "waits", waits, "state", state);
        });
    scenario(
        "a timer that fires while suspended is used after the resume",
        (hub, given) -> {
          String instanceId = hub.startAndWait("naps", null);
          hub.client.suspendInstance(instanceId);
          boolean waits = hub.doesNotComplete(instanceId, Duration.ofMillis(2500));
          hub.client.resumeInstance(instanceId);
          return Json.object("waits", waits, "state", hub.completed(instanceId));
        });
    scenario(
        "events of a storm are each consumed once while it is suspended and resumed",
        (hub, given) -> {
          ObjectNode wanted = Json.object("wanted", 60, "received", List.of());
          String instanceId = hub.start("collectsAnew", wanted);
          Thread raising =
              new Thread(
                  () ->
                      IntStream.range(0, 60)
                          .parallel()
                          .forEach(i -> hub.client.raiseEvent(instanceId, "item", i)));
          raising.start();
          for (int i = 0; i < 10; i++) {
            hub.client.suspendInstance(instanceId);
            hub.client.resumeInstance(instanceId);
          }
          raising.join();
          return hub.completed(instanceId);
        });
  }

  private void unchanged() {
    scenario(
        "suspending, resuming or terminating a completed orchestration changes nothing",
        (hub, given) -> {
          ObjectNode before = hub.run("empty", null);
          String instanceId = before.get("instanceId").asText();
          hub.client.suspendInstance(instanceId);
          hub.client.resumeInstance(instanceId);
          hub.client.terminate(instanceId, "too late");
          return Json.object("before", before, "after", hub.state(instanceId));
        });
    scenario(
        "suspending, resuming or terminating an unknown instance is NOT_FOUND",
        (hub, given) -> {
          String instanceId = Hub.newId("nobody");
          return List.of(
              Hub.refusal(() -> hub.client.suspendInstance(instanceId)),
              Hub.refusal(() -> hub.client.resumeInstance(instanceId)),
              Hub.refusal(() -> hub.client.terminate(instanceId, null)));
        });
  }

  private void terminated() {
    scenario(
        "a running orchestration is terminated with the output it is given",
        (hub, given) -> {
          String instanceId = hub.startAndWait("listens", null);
          hub.client.terminate(instanceId, Json.object("reason", "enough"));
          return hub.completed(instanceId);
        });
    scenario(
        "the first of two terminations wins",
        (hub, given) -> {
          String instanceId = hub.startAndWait("listens", null);
          hub.client.terminate(instanceId, "first");
          hub.client.terminate(instanceId, "second");
          return hub.completed(instanceId);
        });
    scenario(
        "a suspended orchestration is terminated",
        (hub, given) -> {
          String instanceId = hub.startAndWait("listens", null);
          hub.client.suspendInstance(instanceId);
          hub.client.terminate(instanceId, "stopped");
          return hub.completed(instanceId);
        });
    scenario(
        "an orchestration that waits for an activity is terminated at once",
        (hub, given) -> {
          String gate = Gates.create();
          String instanceId = hub.start("passes", gate);
          Gates.waitUntilReached(gate);
          hub.client.terminate(instanceId, null);
          ObjectNode before = hub.completed(instanceId);
          Gates.open(gate);
          hub.run("empty", null);
          return Json.object("before", before, "after", hub.state(instanceId));
        });
    scenario(
        "an orchestration that no worker has seen is suspended, resumed and terminated",
        (hub, given) -> {
          try (Hub other = hub.alone()) {
            String instanceId = other.start("empty");
            List<String> statuses = new ArrayList<>(List.of(other.status(instanceId)));
            other.client.suspendInstance(instanceId);
            statuses.add(other.started(instanceId).get("status").asText());
            other.client.resumeInstance(instanceId);
            statuses.add(other.status(instanceId));
            other.client.terminate(instanceId, "never ran");
            return Json.object("statuses", statuses, "state", other.completed(instanceId));
          }
        });
  }

  private void families() {
    scenario(
        "a termination that is not recursive leaves the children running",
        (hub, given) -> {
          List<String> children = List.of(Hub.newId("child"), Hub.newId("child"));
          String parent = hub.start("callsTwo", children);
          for (String child : children) hub.started(child);
          hub.client.terminate(parent, "only you");
          List<String> statuses = children.stream().map(hub::status).toList();
          List<ObjectNode> states = new ArrayList<>();
          for (String child : children) {
            hub.client.raiseEvent(child, "go", "on");
            states.add(hub.completed(child));
          }
          return Json.object(
              "parent", hub.completed(parent), "statuses", statuses, "children", states);
        });
  }
}
