package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.microsoft.durabletask.DurableTaskGrpcWorkerBuilder;
import com.microsoft.durabletask.TaskActivity;
import com.microsoft.durabletask.TaskActivityFactory;
import com.microsoft.durabletask.TaskOrchestration;
import com.microsoft.durabletask.TaskOrchestrationContext;
import com.microsoft.durabletask.TaskOrchestrationFactory;
import java.util.LinkedHashMap;
import java.util.Map;

/** What one file of scenarios brings: orchestrators, activities, scenarios and commands. */
class Area {
  /** Its input may be null; what it returns is its output. */
  interface Orchestrator {
    Object run(TaskOrchestrationContext context, JsonNode given);
  }

  interface Activity {
    Object run(JsonNode given);
  }

  /** Returns what it has seen; `given` is an array. */
  interface Scenario {
    Object run(Hub hub, JsonNode given) throws Exception;
  }

  private final Map<String, Orchestrator> orchestrators = new LinkedHashMap<>();
  private final Map<String, Activity> activities = new LinkedHashMap<>();
  private final Map<String, Scenario> scenarios = new LinkedHashMap<>();

  final void orchestrator(String name, Orchestrator run) {
    add(orchestrators, name, run);
  }

  final void activity(String name, Activity run) {
    add(activities, name, run);
  }

  final void scenario(String name, Scenario run) {
    add(scenarios, name, run);
  }

  /** Like a scenario, with a name that is only known to its test. */
  final void command(String name, Scenario run) {
    scenario(name, run);
  }

  final Scenario asked(String name) {
    Scenario scenario = scenarios.get(name);
    if (scenario == null) throw new IllegalArgumentException("there is no " + name);
    return scenario;
  }

  final boolean hasWork() {
    return !orchestrators.isEmpty();
  }

  /**
   * An activity for a turn of its own before an orchestration continues as new with its events: the
   * SDK carries over each event that came with the last turn, used or not.
   */
  final void pauses() {
    activity("pause", given -> null);
  }

  static void pause(TaskOrchestrationContext context) {
    context.callActivity("pause").await();
  }

  final void register(DurableTaskGrpcWorkerBuilder worker) {
    orchestrators.forEach((name, run) -> worker.addOrchestration(factoryOf(name, run)));
    activities.forEach((name, run) -> worker.addActivity(factoryOf(name, run)));
  }

  private static <T> void add(Map<String, T> all, String name, T run) {
    if (all.put(name, run) != null) throw new IllegalStateException("there are two of " + name);
  }

  static TaskOrchestrationFactory factoryOf(String name, Orchestrator run) {
    return new TaskOrchestrationFactory() {
      @Override
      public String getName() {
        return name;
      }

      @Override
      public TaskOrchestration create() {
        return context -> {
          Object output = run.run(context, context.getInput(JsonNode.class));
          // Without it, what has sent an event or called something last does not complete.
          context.complete(output);
        };
      }
    };
  }

  static TaskActivityFactory factoryOf(String name, Activity run) {
    return new TaskActivityFactory() {
      @Override
      public String getName() {
        return name;
      }

      @Override
      public TaskActivity create() {
        return context -> run.run(context.getInput(JsonNode.class));
      }
    };
  }
}
