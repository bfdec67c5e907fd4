package interop;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/** Work that stops at gates, for a worker that is killed there, and one that goes on. */
final class LostWorker extends Area {
  LostWorker() {
    activity("passGate", given -> Gates.passThrough(given.asText()));
    orchestrator(
        "passesTwo",
        (context, given) -> {
          List<JsonNode> passed = new ArrayList<>();
          for (JsonNode gate : given) {
            passed.add(context.callActivity("passGate", gate, JsonNode.class).await());
          }
          return passed;
        });
    // Its second turn waits for something else than a task, as no orchestrator should.
    orchestrator(
        "stopsInItsTurn",
        (context, given) -> {
          String passed = context.callActivity("passGate", "open", String.class).await();
          return List.of(passed, Gates.passThrough(given.asText()));
        });
    command("start", (hub, given) -> hub.start(given.get(0).asText(), given.get(1)));
    command(
        "reached",
        (hub, given) -> {
          Gates.waitUntilReached(given.get(0).asText());
          return null;
        });
    command("completed", (hub, given) -> hub.completed(given.get(0).asText()));
    command(
        "openGate",
        (hub, given) -> {
          Gates.open(given.get(0).asText());
          return null;
        });
  }
}
