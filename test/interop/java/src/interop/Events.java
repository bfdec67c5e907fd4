package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.microsoft.durabletask.NewOrchestrationInstanceOptions;
import com.microsoft.durabletask.Task;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/** External events, timers, and events that orchestrations send each other. */
final class Events extends Area {
  Events() {
    activity("passGate", given -> Gates.passThrough(given.asText()));
    sleepers();
    listeners();
    senders();
    timers();
    kept();
    many();
    races();
    notReceived();
    sent();
  }

  private void sleepers() {
    orchestrator(
        "naps",
        (context, given) -> {
          Instant start = context.getCurrentInstant();
          context.createTimer(Duration.ofMillis(given.asLong())).await();
          return Duration.between(start, context.getCurrentInstant()).toNanos() / 1e9;
        });
    orchestrator(
        "sleepsUntil",
        (context, given) -> {
          context.createTimer(ZonedDateTime.parse(given.asText())).await();
          return "awake";
        });
    orchestrator(
        "napsTogether",
        (context, given) -> {
          List<Task<Void>> naps = new ArrayList<>();
          for (int i = 0; i < given.asInt(); i++) {
            naps.add(context.createTimer(Duration.ofMillis(i)));
          }
          context.allOf(naps).await();
          return given;
        });
    orchestrator(
        "races",
        (context, given) -> {
          Task<JsonNode> event = context.waitForExternalEvent("answer", JsonNode.class);
          Task<Void> timer = context.createTimer(Duration.ofMillis(given.asInt()));
          return context.anyOf(event, timer).await() == timer ? "timer" : event.await();
        });
  }

  private void listeners() {
    orchestrator(
        "listens",
        (context, given) ->
            context.waitForExternalEvent(given.asText(), JsonNode.class).await());
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
        "listensLate",
        (context, given) -> {
          context.callActivity("passGate", given, JsonNode.class).await();
          JsonNode first = context.waitForExternalEvent("item", JsonNode.class).await();
          return List.of(first, context.waitForExternalEvent("item", JsonNode.class).await());
        });
    orchestrator(
        "listensToMany",
        (context, given) -> {
          List<Task<JsonNode>> events = new ArrayList<>();
          for (int i = 0; i < given.asInt(); i++) {
            events.add(context.waitForExternalEvent("e" + i, JsonNode.class));
          }
          return context.allOf(events).await();
        });
  }

  private void senders() {
    orchestrator(
        "sends",
        (context, given) -> {
          String to = given.get("to").asText();
          context.sendEvent(to, given.get("name").asText(), given.get("data"));
          context.createTimer(Duration.ofMillis(1)).await();
          return "sent";
        });
    orchestrator(
        "sendsLast",
        (context, given) -> {
          context.sendEvent(given.asText(), "item", "the last word");
          return null;
        });
  }

  private void timers() {
    scenario(
        "a timer does not fire before its time", (hub, given) -> hub.outputOf("naps", 250));
    scenario(
        "a timer of the past fires at once",
        (hub, given) -> hub.outputOf("sleepsUntil", "2001-02-03T04:05:06.789Z"));
    scenario(
        "two hundred timers of one orchestration all fire",
        (hub, given) -> hub.outputOf("napsTogether", 200));
  }

  private void kept() {
    scenario(
        "an event that is waited for completes the wait",
        (hub, given) -> {
          String instanceId = hub.startAndWait("listens", "approval");
          hub.client.raiseEvent(instanceId, "approval", Json.object("by", "nadia"));
          return hub.completed(instanceId);
        });
    scenario(
        "events raised before they are waited for are kept, in order",
        (hub, given) -> {
          String gate = Gates.create();
          String instanceId = hub.start("listensLate", gate);
          hub.client.raiseEvent(instanceId, "item", 1);
          Gates.waitUntilReached(gate);
          hub.client.raiseEvent(instanceId, "item", 2);
          Gates.open(gate);
          return hub.completed(instanceId);
        });
    scenario(
        "an event raised before the scheduled start is kept",
        (hub, given) -> {
          Instant startAt = Instant.now().plusMillis(1500);
          var options = new NewOrchestrationInstanceOptions().setStartTime(startAt);
          String instanceId = hub.start("listens", "early", Hub.newId("early"), options);
          hub.client.raiseEvent(instanceId, "early", "bird");
          String status = hub.status(instanceId);
          return Json.object("status", status, "state", hub.completed(instanceId));
        });
    scenario(
        "names of events are compared without case, and stored as they came",
        (hub, given) -> {
          // The SDK compares so only what was there before it is waited for.
          String gate = Gates.create();
          String instanceId = hub.start("listensLate", gate);
          Gates.waitUntilReached(gate);
          hub.client.raiseEvent(instanceId, "ITEM", 7);
          hub.client.raiseEvent(instanceId, "iteM", 8);
          Gates.open(gate);
          return hub.completed(instanceId);
        });
  }

  private void many() {
    scenario(
        "a hundred events raised at once all arrive",
        (hub, given) -> {
          String instanceId = hub.start("collects", 100);
          IntStream.range(0, 100)
              .parallel()
              .forEach(i -> hub.client.raiseEvent(instanceId, "item", i));
          return hub.completed(instanceId);
        });
    scenario(
        "a hundred events of different names complete a hundred waits",
        (hub, given) -> {
          String instanceId = hub.start("listensToMany", 100);
          IntStream.range(0, 100)
              .parallel()
              .forEach(i -> hub.client.raiseEvent(instanceId, "e" + i, i));
          return hub.completed(instanceId);
        });
    scenario(
        "events raised one after the other arrive in that order",
        (hub, given) -> {
          String instanceId = hub.start("collects", 20);
          for (int i = 0; i < 20; i++) hub.client.raiseEvent(instanceId, "item", i);
          return hub.completed(instanceId);
        });
  }

  private void races() {
    scenario(
        "a timer wins the race against an event that never comes",
        (hub, given) -> hub.outputOf("races", 50));
    scenario(
        "an event wins the race against a timer of an hour",
        (hub, given) -> {
          String instanceId = hub.start("races", 3_600_000);
          hub.client.raiseEvent(instanceId, "answer", "event");
          return hub.completed(instanceId);
        });
    scenario(
        "an event wins the race against a timer of thirty days",
        (hub, given) -> {
          String instanceId = hub.start("races", Duration.ofDays(30).toMillis());
          hub.client.raiseEvent(instanceId, "answer", "event");
          return hub.completed(instanceId);
        });
    scenario(
        "an event without data is read as null",
        (hub, given) -> {
          String instanceId = hub.start("listens", "bare");
          hub.client.raiseEvent(instanceId, "bare");
          return hub.completed(instanceId);
        });
  }

  private void notReceived() {
    scenario(
        "raising an event of an unknown instance is NOT_FOUND",
        (hub, given) ->
            Hub.refusal(() -> hub.client.raiseEvent(Hub.newId("nobody"), "item", 1)));
    scenario(
        "an event of a completed instance is dropped without an error",
        (hub, given) -> {
          ObjectNode before = hub.run("naps", 1);
          String instanceId = before.get("instanceId").asText();
          hub.client.raiseEvent(instanceId, "item", 1);
          return Json.object("before", before, "after", hub.state(instanceId));
        });
  }

  private void sent() {
    scenario(
        "an orchestration sends an event to another one",
        (hub, given) -> {
          String listener = hub.start("listens", "item");
          ObjectNode data = Json.object("from", "a friend");
          ObjectNode sender =
              hub.run("sends", Json.object("to", listener, "name", "item", "data", data));
          return Json.object("listener", hub.completed(listener), "sender", sender);
        });
    scenario(
        "an orchestration that sends an event and ends has sent it",
        (hub, given) -> {
          String listener = hub.start("listens", "item");
          hub.run("sendsLast", listener);
          return hub.completed(listener);
        });
    scenario(
        "an event sent to nobody is dropped and its sender goes on",
        (hub, given) ->
            hub.run("sends", Json.object("to", Hub.newId("nobody"), "name", "item")));
  }
}
