package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.microsoft.durabletask.OrchestrationRuntimeStatus;
import com.microsoft.durabletask.OrchestrationStatusQuery;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** Finding orchestrations, each scenario in a hub of its own. */
final class Queries extends Area {
  Queries() {
    orchestrator("echoes", (context, given) -> given);
    orchestrator(
        "broken",
        (context, given) -> {
          throw new IllegalStateException("out of order");
        });
    orchestrator(
        "listens",
        (context, given) -> context.waitForExternalEvent("go", JsonNode.class).await());
    filters();
    pages();
  }

  private static OrchestrationStatusQuery query() {
    return new OrchestrationStatusQuery();
  }

  private static List<ObjectNode> found(Hub hub, OrchestrationStatusQuery query) {
    return hub.client.queryInstances(query).getOrchestrationState().stream()
        .map(Hub::facts)
        .toList();
  }

  private static List<String> idsOf(List<ObjectNode> states) {
    return states.stream().map(state -> state.get("instanceId").asText()).sorted().toList();
  }

  private void filters() {
    scenario(
        "orchestrations are found by their status",
        (hub, given) -> {
          try (Hub alone = hub.alone(1)) {
            alone.completed(alone.start("broken", null, "failed"));
            alone.started(alone.start("listens", null, "running"));
            var failed = List.of(OrchestrationRuntimeStatus.FAILED);
            var both =
                List.of(OrchestrationRuntimeStatus.FAILED, OrchestrationRuntimeStatus.RUNNING);
            return Json.object(
                "failed", idsOf(found(alone, query().setRuntimeStatusList(failed))),
                "both", idsOf(found(alone, query().setRuntimeStatusList(both))));
          }
        });
    scenario(
        "orchestrations are found by the time of their creation",
        (hub, given) -> {
          try (Hub alone = hub.alone(1)) {
            alone.completed(alone.start("echoes", 1, "first"));
            ObjectNode second = alone.completed(alone.start("echoes", 2, "second"));
            Instant createdAt = Instant.parse(second.get("createdAt").asText());
            Instant before = createdAt.minusNanos(1);
            return Json.object(
                "from", idsOf(found(alone, query().setCreatedTimeFrom(createdAt))),
                "to", idsOf(found(alone, query().setCreatedTimeTo(before)
                    .setInstanceIdPrefix("first"))));
          }
        });
    scenario(
        "orchestrations are found by the beginning of their ids",
        (hub, given) -> {
          try (Hub alone = hub.alone(1)) {
            for (String id : List.of("a-1", "a-2", "b-1")) alone.start("listens", null, id);
            return idsOf(found(alone, query().setInstanceIdPrefix("a-")));
          }
        });
    scenario(
        "each filter of a query narrows the others",
        (hub, given) -> {
          try (Hub alone = hub.alone(1)) {
            alone.completed(alone.start("broken", null, "a-failed"));
            alone.completed(alone.start("broken", null, "b-failed"));
            alone.completed(alone.start("echoes", 1, "a-completed"));
            return idsOf(
                found(
                    alone,
                    query()
                        .setInstanceIdPrefix("a-")
                        .setRuntimeStatusList(List.of(OrchestrationRuntimeStatus.FAILED))));
          }
        });
  }

  private void pages() {
    scenario(
        "twenty-one orchestrations are found five by five",
        (hub, given) -> {
          try (Hub alone = hub.alone(1)) {
            for (int i = 0; i < 21; i++) alone.start("listens", null, "page-" + i);
            List<List<String>> pages = new ArrayList<>();
            OrchestrationStatusQuery query =
                query().setMaxInstanceCount(5).setInstanceIdPrefix("page-");
            for (String token = null; token == null || !token.isEmpty(); ) {
              var result = alone.client.queryInstances(query.setContinuationToken(token));
              pages.add(
                  idsOf(result.getOrchestrationState().stream().map(Hub::facts).toList()));
              token = result.getContinuationToken();
            }
            return pages;
          }
        });
    scenario(
        "a query has inputs and outputs only when it asks for them",
        (hub, given) -> {
          try (Hub alone = hub.alone(1)) {
            alone.completed(alone.start("echoes", "text", "asked"));
            OrchestrationStatusQuery query = query().setInstanceIdPrefix("asked");
            return Json.object(
                "without", found(alone, query.setFetchInputsAndOutputs(false)),
                "with", found(alone, query.setFetchInputsAndOutputs(true)));
          }
        });
  }
}
