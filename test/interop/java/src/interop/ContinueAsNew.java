package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.stream.IntStream;

/** Orchestrations that start anew. */
final class ContinueAsNew extends Area {
  ContinueAsNew() {
    pauses();
    activity("passGate", given -> Gates.passThrough(given.asText()));
    activity("addOne", given -> given.asInt() + 1);
    counting();
    listening();
    restarting();
    generations();
    storms();
    left();
  }

  private void counting() {
    orchestrator(
        "counts",
        (context, given) -> {
          if (given.asInt() < 10) context.continueAsNew(given.asInt() + 1);
          return given;
        });
    orchestrator(
        "countsInActivities",
        (context, given) -> {
          int following = context.callActivity("addOne", given, Integer.class).await();
          if (following < 10) context.continueAsNew(following);
          return following;
        });
    orchestrator("double", (context, given) -> given.asInt() * 2);
    orchestrator(
        "countsInChildren",
        (context, given) -> {
          int following = context.callSubOrchestrator("double", given, Integer.class).await();
          if (following < 1024) context.continueAsNew(following);
          return following;
        });
    orchestrator(
        "callsCounting",
        (context, given) -> context.callSubOrchestrator("counts", 1, JsonNode.class).await());
  }

  private void listening() {
    orchestrator(
        "collectsOneByOne",
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
        "keepsEvents",
        (context, given) -> {
          if (!given.has("first")) {
            context.callActivity("passGate", given.get("second"), JsonNode.class).await();
            return context.waitForExternalEvent("item", JsonNode.class).await();
          }
          context.callActivity("passGate", given.get("first"), JsonNode.class).await();
          context.waitForExternalEvent("ready").await();
          boolean keep = given.get("keep").asBoolean();
          context.continueAsNew(Json.object("second", given.get("second")), keep);
          return null;
        });
  }

  private void restarting() {
    orchestrator(
        "talksToItself",
        (context, given) -> {
          if (given != null) return context.waitForExternalEvent("note", JsonNode.class).await();
          context.sendEvent(context.getInstanceId(), "note", "to my next life");
          context.continueAsNew("again");
          return null;
        });
    orchestrator(
        "asksTwice",
        (context, given) -> {
          JsonNode second = given.get("second");
          if (!given.has("first")) {
            return context.callActivity("passGate", second, JsonNode.class).await();
          }
          context.callActivity("passGate", given.get("first"), JsonNode.class);
          context.waitForExternalEvent("restart").await();
          context.continueAsNew(Json.object("second", second));
          return null;
        });
  }

  private void generations() {
    scenario(
        "an orchestration starts anew ten times, and its last input is shown",
        (hub, given) -> hub.run("counts", 1));
    scenario(
        "only the last generation is in the history",
        (hub, given) -> hub.run("countsInActivities", 1));
    scenario(
        "each generation may call children without choosing their ids",
        (hub, given) -> hub.outputOf("countsInChildren", 1));
    scenario(
        "an event that an orchestration sends itself reaches its next generation",
        (hub, given) -> hub.outputOf("talksToItself", null));
    scenario(
        "a parent hears of its child's last generation only",
        (hub, given) -> hub.run("callsCounting", null));
  }

  private void storms() {
    scenario(
        "every event of a storm is consumed once over fifty generations",
        (hub, given) -> {
          ObjectNode wanted = Json.object("wanted", 50, "received", List.of());
          String instanceId = hub.start("collectsOneByOne", wanted);
          IntStream.range(0, 50)
              .parallel()
              .forEach(i -> hub.client.raiseEvent(instanceId, "item", i));
          return hub.completed(instanceId);
        });
  }

  private void left() {
    command(
        "keepEvents",
        (hub, given) -> {
          String first = Gates.create();
          String second = Gates.create();
          ObjectNode gates = Json.object("first", first, "second", second, "keep", given.get(0));
          String instanceId = hub.start("keepsEvents", gates);
          Gates.waitUntilReached(first);
          hub.client.raiseEvent(instanceId, "item", "old");
          hub.client.raiseEvent(instanceId, "ready");
          Gates.open(first);
          Gates.waitUntilReached(second);
          hub.client.raiseEvent(instanceId, "item", "new");
          Gates.open(second);
          return hub.completed(instanceId);
        });
    scenario(
        "a result for an earlier generation does not complete a task of this one",
        (hub, given) -> {
          String first = Gates.create();
          String second = Gates.create();
          // Work goes round: the second activity is the fifth, and may not wait for the first.
          try (Hub alone = hub.alone(4)) {
            String instanceId =
                alone.start("asksTwice", Json.object("first", first, "second", second));
            Gates.waitUntilReached(first);
            alone.client.raiseEvent(instanceId, "restart");
            Gates.waitUntilReached(second);
            Gates.open(first);
            alone.state(instanceId);
            Gates.open(second);
            return Json.object("second", second, "state", alone.completed(instanceId));
          }
        });
  }
}
