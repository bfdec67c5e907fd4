package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;

/** What payloads become on their way, and how big they may be. */
final class Payloads extends Area {
  private static final int MEBIBYTE = 1024 * 1024;
  private static final List<String> ECHOES =
      List.of("echoes", "echoesByActivity", "echoesByChild");

  Payloads() {
    activity("echo", given -> given);
    activity("measures", given -> given.asText().length());
    activity("repeat", given -> "x".repeat(given.asInt()));
    orchestrators();
    values();
    sizes();
  }

  private void orchestrators() {
    orchestrator("echoes", (context, given) -> given);
    orchestrator(
        "echoesByActivity",
        (context, given) -> context.callActivity("echo", given, JsonNode.class).await());
    orchestrator(
        "echoesByChild",
        (context, given) -> context.callSubOrchestrator("echoes", given, JsonNode.class).await());
    orchestrator(
        "echoesEvent",
        (context, given) -> context.waitForExternalEvent("payload", JsonNode.class).await());
    // It waits for none: a turn with so long a history would not reach the worker.
    orchestrator(
        "sendsMuch",
        (context, given) -> {
          for (int i = 0; i < given.asInt(); i += 1) {
            context.callActivity("measures", "x".repeat(MEBIBYTE), Integer.class);
          }
          return "sent";
        });
    orchestrator(
        "lengthOf",
        (context, given) ->
            context.callActivity("repeat", given, String.class).await().length());
  }

  private void values() {
    command(
        "passThroughAll",
        (hub, given) -> {
          List<ObjectNode> states = new ArrayList<>();
          for (String name : ECHOES) states.add(hub.run(name, given.get(0)));
          return states;
        });
    command(
        "passThroughEvent",
        (hub, given) -> {
          String instanceId = hub.start("echoesEvent");
          hub.client.raiseEvent(instanceId, "payload", given.get(0));
          return hub.completed(instanceId);
        });
    scenario(
        "no value is an empty input and no output", (hub, given) -> hub.run("echoes", null));
    scenario(
        "no value comes back from an activity and a child as no value",
        (hub, given) ->
            List.of(hub.run("echoesByActivity", null), hub.run("echoesByChild", null)));
  }

  private void sizes() {
    scenario(
        "a mebibyte passes through inputs, activities, children and outputs",
        (hub, given) -> {
          String value = "ä".repeat(MEBIBYTE / 2);
          List<Boolean> same = new ArrayList<>();
          for (String name : ECHOES) same.add(value.equals(hub.outputOf(name, value).asText()));
          return same;
        });
    scenario(
        "a mebibyte passes through an event",
        (hub, given) -> {
          String value = "e".repeat(MEBIBYTE);
          String instanceId = hub.start("echoesEvent");
          hub.client.raiseEvent(instanceId, "payload", value);
          String output = hub.completed(instanceId).get("output").asText();
          return output.equals('"' + value + '"');
        });
    scenario(
        "a turn that answers with six mebibytes is taken",
        (hub, given) -> hub.run("sendsMuch", 6));
    scenario(
        "a payload that is too big is refused and names its limit",
        (hub, given) -> Hub.refusal(() -> hub.start("echoes", "x".repeat(8 * MEBIBYTE))));
    scenario(
        "an activity's result that is too big fails its task, not the sidecar",
        (hub, given) -> hub.run("lengthOf", 8 * MEBIBYTE));
  }
}
