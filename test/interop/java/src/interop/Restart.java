package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/** Restarts by the SDK's client, which reads the instance and starts it again. */
final class Restart extends Area {
  Restart() {
    orchestrator("double", (context, given) -> given.asInt() * 2);
    orchestrator(
        "listens",
        (context, given) -> context.waitForExternalEvent("go", JsonNode.class).await());
    scenario(
        "a completed orchestration that is restarted under its id runs again with its input",
        (hub, given) -> {
          ObjectNode before = hub.run("double", 21);
          String restarted =
              hub.client.restartInstance(before.get("instanceId").asText(), false);
          return Json.object(
              "before", before, "restarted", restarted, "after", hub.completed(restarted));
        });
    scenario(
        "a restart under a new id leaves a running orchestration as it is",
        (hub, given) -> {
          String instanceId = hub.startAndWait("listens", null);
          String copy = hub.client.restartInstance(instanceId, true);
          hub.client.raiseEvent(copy, "go", 1);
          return Json.object(
              "ids", List.of(instanceId, copy),
              "copy", hub.completed(copy),
              "status", hub.status(instanceId));
        });
    scenario(
        "a running or suspended orchestration is not restarted under its id",
        (hub, given) -> {
          String instanceId = hub.startAndWait("listens", null);
          Object running = Hub.refusal(() -> hub.client.restartInstance(instanceId, false));
          hub.client.suspendInstance(instanceId);
          Object suspended = Hub.refusal(() -> hub.client.restartInstance(instanceId, false));
          return List.of(running, suspended);
        });
    scenario(
        "restarting an unknown instance is refused",
        (hub, given) -> {
          try {
            return hub.client.restartInstance(Hub.newId("nobody"), false);
          } catch (IllegalArgumentException error) {
            return error.getMessage();
          }
        });
  }
}
