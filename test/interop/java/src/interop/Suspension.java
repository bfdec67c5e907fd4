package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

/** Orchestrations that are held, by the SDK's client or from outside. */
final class Suspension extends Area {
  Suspension() {
    pauses();
    activity("passGate", given -> Gates.passThrough(given.asText()));
    orchestrators();
    starts();
    reads();
    gatesAndHolds();
  }

  private void orchestrators() {
    // Each generation waits for an activity and an event; the last returns what all have got.
    orchestrator(
        "gathers",
        (context, given) -> {
          ArrayNode gates = (ArrayNode) given.get("gates");
          ArrayNode items = (ArrayNode) given.get("items");
          context.setCustomStatus(Json.object("items", items.size()));
          items.add(context.callActivity("passGate", gates.remove(0), JsonNode.class).await());
          items.add(context.waitForExternalEvent("item", JsonNode.class).await());
          ObjectNode rest = Json.object("gates", gates, "items", items);
          if (gates.isEmpty()) return items;
          pause(context);
          context.continueAsNew(rest, true);
          return items;
        });
    orchestrator(
        "progresses",
        (context, given) -> {
          for (int step = 1; step <= given.asInt(); step++) {
            context.setCustomStatus(Json.object("step", step));
            context.waitForExternalEvent("step").await();
          }
          return "done";
        });
    orchestrator(
        "listens",
        (context, given) -> context.waitForExternalEvent("go", JsonNode.class).await());
    orchestrator(
        "callsListening",
        (context, given) ->
            context
                .callSubOrchestrator("listens", null, given.asText(), JsonNode.class)
                .await());
  }

  private void starts() {
    command(
        "start",
        (hub, given) -> {
          String instanceId = given.get(1).asText();
          return hub.start(given.get(0).asText(), given.get(2), instanceId);
        });
    command(
        "startRefused",
        (hub, given) ->
            Hub.refusal(
                () -> hub.start(given.get(0).asText(), null, given.get(1).asText())));
  }

  private void reads() {
    command("started", (hub, given) -> hub.started(given.get(0).asText()));
    command("status", (hub, given) -> hub.status(given.get(0).asText()));
    command("completed", (hub, given) -> hub.completed(given.get(0).asText()));
  }

  private void gatesAndHolds() {
    command(
        "reached",
        (hub, given) -> {
          Gates.waitUntilReached(given.get(0).asText());
          return null;
        });
    command(
        "openGate",
        (hub, given) -> {
          Gates.open(given.get(0).asText());
          return null;
        });
    command(
        "raiseEvent",
        (hub, given) -> {
          hub.client.raiseEvent(given.get(0).asText(), given.get(1).asText(), given.get(2));
          return null;
        });
    command(
        "suspend",
        (hub, given) -> {
          hub.client.suspendInstance(given.get(0).asText(), "lunch");
          return null;
        });
    command(
        "resume",
        (hub, given) -> {
          hub.client.resumeInstance(given.get(0).asText(), "back");
          return null;
        });
  }
}
