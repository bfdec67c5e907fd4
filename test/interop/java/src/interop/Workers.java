package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.microsoft.durabletask.DurableTaskGrpcWorkerBuilder;
import com.microsoft.durabletask.Task;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentMap;

/** Several workers and hubs. Those that are killed: LostWorker. */
final class Workers extends Area {
  private static final Orchestrator LISTENS =
      (context, given) -> context.waitForExternalEvent("go", JsonNode.class).await();
  private static final Orchestrator SQUARES =
      (context, given) -> {
        List<Task<Integer>> tasks = new ArrayList<>();
        for (int i = 0; i < given.asInt(); i++) {
          tasks.add(context.callActivity("square", i, Integer.class));
        }
        return context.allOf(tasks).await();
      };

  /** A worker and a client of a sidecar that comes and goes. */
  private final ConcurrentMap<String, Hub> restarted = new ConcurrentHashMap<>();

  Workers() {
    several();
    hubs();
    lost();
    restarts();
  }

  private void several() {
    scenario(
        "two workers share the work, and each activity runs once",
        (hub, given) -> {
          List<Queue<Integer>> runs =
              List.of(new ConcurrentLinkedQueue<>(), new ConcurrentLinkedQueue<>());
          try (Hub alone = hub.alone()) {
            for (Queue<Integer> mine : runs) alone.work(worker -> squaring(worker, mine));
            ObjectNode state = alone.connected().run("squares", 200);
            return Json.object("state", state, "runs", runs);
          }
        });
    scenario(
        "another worker goes on with an orchestration whose worker has stopped",
        (hub, given) -> {
          try (Hub alone = hub.alone()) {
            Worker first = alone.work(Workers::listening);
            String instanceId = alone.startAndWait("listens", null);
            first.close();
            alone.client.raiseEvent(instanceId, "go", "on");
            alone.work(Workers::listening);
            return alone.completed(instanceId);
          }
        });
  }

  private static void squaring(DurableTaskGrpcWorkerBuilder worker, Queue<Integer> mine) {
    worker.addOrchestration(factoryOf("squares", SQUARES));
    worker.addActivity(
        factoryOf(
            "square",
            given -> {
              mine.add(given.asInt());
              return given.asInt() * given.asInt();
            }));
  }

  private static void listening(DurableTaskGrpcWorkerBuilder worker) {
    worker.addOrchestration(factoryOf("listens", LISTENS));
  }

  private void hubs() {
    scenario(
        "task hubs do not see each other's instances",
        (hub, given) -> {
          String instanceId = Hub.newId("same");
          try (Hub one = hub.alone();
              Hub other = hub.alone()) {
            one.start("anything", "of one", instanceId);
            ObjectNode unseen = other.state(instanceId);
            other.start("anything", "of the other", instanceId);
            List<JsonNode> inputs =
                List.of(one.state(instanceId).get("input"), other.state(instanceId).get("input"));
            return Json.object("unseen", unseen, "inputs", inputs);
          }
        });
  }

  private void lost() {
    // Goes on in a hub, through all of these gates, with what another program has started there.
    command(
        "goOn",
        (hub, given) -> {
          Json.texts(given.get(2)).forEach(Gates::open);
          Area work = new LostWorker();
          try (Hub its = new Hub(hub.address, given.get(0).asText(), work)) {
            its.work(work::register);
            return its.completed(given.get(1).asText());
          }
        });
  }

  private void restarts() {
    // Starts a worker and an orchestration, whether there is a sidecar or not yet.
    command(
        "begin",
        (hub, given) -> {
          String address = given.get(0).asText();
          Hub it = new Hub(address, "default", this);
          it.work(Workers::listening);
          restarted.put(address, it);
          Thread starting = new Thread(() -> it.start("listens", null, address));
          starting.setDaemon(true);
          starting.start();
          return null;
        });
    command(
        "begun",
        (hub, given) -> {
          String address = given.get(0).asText();
          return restarted.get(address).started(address).get("status");
        });
    command(
        "finish",
        (hub, given) -> {
          String address = given.get(0).asText();
          try (Hub it = restarted.remove(address)) {
            it.client.raiseEvent(address, "go", "on");
            return it.completed(address);
          }
        });
  }
}
