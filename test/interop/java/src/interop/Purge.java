package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.microsoft.durabletask.OrchestrationRuntimeStatus;
import com.microsoft.durabletask.PurgeInstanceCriteria;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;

/** Deleting by a filter, each scenario in a hub of its own. */
final class Purge extends Area {
  private static final Instant LONG_AGO = Instant.parse("2020-01-01T00:00:00Z");

  Purge() {
    orchestrator("empty", (context, given) -> "done");
    orchestrator(
        "broken",
        (context, given) -> {
          throw new IllegalStateException("out of order");
        });
    orchestrator(
        "listens",
        (context, given) -> context.waitForExternalEvent("go", JsonNode.class).await());
    byStatus();
    byTime();
  }

  private static PurgeInstanceCriteria since(Instant time) {
    return new PurgeInstanceCriteria().setCreatedTimeFrom(time);
  }

  private static int purge(Hub hub, PurgeInstanceCriteria criteria) throws TimeoutException {
    return hub.client.purgeInstances(criteria).getDeletedInstanceCount();
  }

  private static List<String> left(Hub hub, String... instanceIds) {
    return Stream.of(instanceIds).filter(id -> hub.state(id) != null).toList();
  }

  private static ObjectNode ended(Hub hub, String name, String instanceId)
      throws TimeoutException {
    return hub.completed(hub.start(name, null, instanceId));
  }

  /** Without the instances by which its worker was found to be connected. */
  private static Hub emptyHub(Hub hub) throws TimeoutException {
    Hub alone = hub.alone(1);
    purge(alone, since(LONG_AGO));
    return alone;
  }

  private void byStatus() {
    scenario(
        "a purge by status deletes what has that status",
        (hub, given) -> {
          try (Hub alone = emptyHub(hub)) {
            ended(alone, "broken", "failed");
            ended(alone, "empty", "completed");
            var failed = List.of(OrchestrationRuntimeStatus.FAILED);
            int purged = purge(alone, since(LONG_AGO).setRuntimeStatusList(failed));
            return Json.object("purged", purged, "left", left(alone, "failed", "completed"));
          }
        });
    scenario(
        "a purge by a filter that names no status spares what has not ended",
        (hub, given) -> {
          try (Hub alone = emptyHub(hub)) {
            ended(alone, "empty", "completed");
            alone.started(alone.start("listens", null, "running"));
            int purged = purge(alone, since(LONG_AGO));
            return Json.object("purged", purged, "left", left(alone, "completed", "running"));
          }
        });
  }

  private void byTime() {
    scenario(
        "a purge by the time of creation deletes what was created in it",
        (hub, given) -> {
          try (Hub alone = emptyHub(hub)) {
            ended(alone, "empty", "before");
            Instant from = createdAt(ended(alone, "empty", "within"));
            Instant to = createdAt(ended(alone, "empty", "after")).minusNanos(1);
            int purged = purge(alone, since(from).setCreatedTimeTo(to));
            List<String> left = left(alone, "before", "within", "after");
            return Json.object("purged", purged, "left", left);
          }
        });
    scenario(
        "a purge by a filter that nothing fits deletes nothing",
        (hub, given) -> {
          try (Hub alone = emptyHub(hub)) {
            ended(alone, "empty", "completed");
            int purged = purge(alone, since(Instant.now().plus(Duration.ofDays(1))));
            return Json.object("purged", purged, "left", left(alone, "completed"));
          }
        });
    scenario(
        "a purge with a time limit deletes what it can in that time",
        (hub, given) -> {
          try (Hub alone = emptyHub(hub)) {
            ended(alone, "empty", "one");
            ended(alone, "empty", "two");
            Duration timeout = Duration.ofSeconds(Gates.PATIENCE);
            int purged = purge(alone, since(LONG_AGO).setTimeout(timeout));
            return Json.object("purged", purged, "left", left(alone, "one", "two"));
          }
        });
  }

  private static Instant createdAt(ObjectNode state) {
    return Instant.parse(state.get("createdAt").asText());
  }
}
