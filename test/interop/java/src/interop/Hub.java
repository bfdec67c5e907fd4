package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.microsoft.durabletask.DurableTaskClient;
import com.microsoft.durabletask.DurableTaskGrpcClientBuilder;
import com.microsoft.durabletask.DurableTaskGrpcWorkerBuilder;
import com.microsoft.durabletask.FailureDetails;
import com.microsoft.durabletask.NewOrchestrationInstanceOptions;
import com.microsoft.durabletask.OrchestrationMetadata;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/** What scenarios work with: a client of one task hub, and facts in JSON about what it has seen. */
final class Hub implements AutoCloseable {
  /** How long something that must not happen is waited for. */
  static final Duration NEVER = Duration.ofMillis(300);

  private static final Duration PATIENCE = Duration.ofSeconds(Gates.PATIENCE);

  /** A call before the sidecar listens waits for it. */
  private static final Map<String, Object> EACH_CALL =
      Map.of("name", List.of(Map.of()), "waitForReady", true);

  /** A call that the sidecar is asked for. */
  interface Call {
    void run() throws TimeoutException;
  }

  final String address;
  final DurableTaskClient client;
  private final Area area;
  private final String taskHub;
  private final boolean isAlone;
  private final ManagedChannel channel;
  private final List<Worker> workers = new ArrayList<>();

  Hub(String address, String taskHub, Area area) {
    this(address, taskHub, area, false);
  }

  private Hub(String address, String taskHub, Area area, boolean isAlone) {
    this.isAlone = isAlone;
    this.address = address;
    this.area = area;
    this.taskHub = taskHub;
    channel = channel(address, taskHub);
    client = new DurableTaskGrpcClientBuilder().grpcChannel(channel).build();
  }

  static ManagedChannel channel(String address, String taskHub) {
    Metadata headers = new Metadata();
    headers.put(Metadata.Key.of("taskhub", Metadata.ASCII_STRING_MARSHALLER), taskHub);
    return ManagedChannelBuilder.forTarget(address)
        .usePlaintext()
        // Payloads and histories of more than the 4 MiB that gRPC takes if nothing is said.
        .maxInboundMessageSize(64 * 1024 * 1024)
        .intercept(MetadataUtils.newAttachHeadersInterceptor(headers))
        .defaultServiceConfig(Map.of("methodConfig", List.of(EACH_CALL)))
        .build();
  }

  /** A task hub that nobody else knows, without workers. */
  Hub alone() {
    return new Hub(address, newId("hub"), area, true);
  }

  /** With connected workers that have all that the area has; work goes round among them. */
  Hub alone(int workerCount) throws TimeoutException {
    Hub hub = alone();
    for (int i = 0; i < workerCount; i++) hub.work(area::register);
    return hub.connected();
  }

  /** Waits until all workers are connected. */
  Hub connected() throws TimeoutException {
    for (Worker worker : workers) worker.connected(this);
    return this;
  }

  Worker work(Consumer<DurableTaskGrpcWorkerBuilder> register) {
    Worker worker = new Worker(address, taskHub, register);
    workers.add(worker);
    return worker;
  }

  /** Leaves nothing of a hub that nobody else knows: work that stays without a worker is logged. */
  @Override
  public void close() throws InterruptedException {
    for (Worker worker : workers) worker.close();
    if (isAlone) client.deleteTaskHub();
    channel.shutdownNow();
  }

  /** An instance id that no other scenario uses. */
  static String newId(String name) {
    return name + "-" + UUID.randomUUID();
  }

  String start(String name) {
    return start(name, null);
  }

  String start(String name, Object given) {
    return start(name, given, newId(name));
  }

  String start(String name, Object given, String instanceId) {
    return start(name, given, instanceId, new NewOrchestrationInstanceOptions());
  }

  String start(
      String name, Object given, String instanceId, NewOrchestrationInstanceOptions options) {
    return client.scheduleNewOrchestrationInstance(
        name, options.setInput(given).setInstanceId(instanceId));
  }

  /** Starts an orchestration and waits for the end of its first turn. */
  String startAndWait(String name, Object given) throws TimeoutException {
    String instanceId = start(name, given);
    started(instanceId);
    return instanceId;
  }

  ObjectNode started(String instanceId) throws TimeoutException {
    return facts(client.waitForInstanceStart(instanceId, PATIENCE, true));
  }

  ObjectNode completed(String instanceId) throws TimeoutException {
    return completed(instanceId, PATIENCE);
  }

  ObjectNode completed(String instanceId, Duration timeout) throws TimeoutException {
    return facts(client.waitForInstanceCompletion(instanceId, timeout, true));
  }

  /** Starts an orchestration and waits for its end. */
  ObjectNode run(String name, Object given) throws TimeoutException {
    return completed(start(name, given));
  }

  /** Runs an orchestration that must complete. */
  JsonNode outputOf(String name, Object given) throws TimeoutException {
    ObjectNode state = run(name, given);
    if (!state.get("status").asText().equals("COMPLETED")) {
      throw new AssertionError("it has not completed: " + state);
    }
    return state.get("output").isNull() ? null : Json.parse(state.get("output").asText());
  }

  ObjectNode state(String instanceId) {
    return state(instanceId, true);
  }

  ObjectNode state(String instanceId, boolean fetchPayloads) {
    return facts(client.getInstanceMetadata(instanceId, fetchPayloads));
  }

  String status(String instanceId) {
    return state(instanceId).get("status").asText();
  }

  /** Waits a little for something that does not happen. */
  boolean doesNotComplete(String instanceId) {
    return doesNotComplete(instanceId, NEVER);
  }

  boolean doesNotComplete(String instanceId, Duration time) {
    return refusal(() -> completed(instanceId, time)).asText().equals("timeout");
  }

  /** How a call that must fail has failed: by a status of gRPC, or as the SDK's patience ended. */
  static JsonNode refusal(Call call) {
    try {
      call.run();
    } catch (TimeoutException error) {
      return Json.of("timeout");
    } catch (StatusRuntimeException error) {
      var status = error.getStatus();
      return Json.object("code", status.getCode().name(), "details", status.getDescription());
    }
    throw new AssertionError("it was not refused");
  }

  /** An orchestration's state as the SDK gives it, or null. It reads absent texts as empty ones. */
  static ObjectNode facts(OrchestrationMetadata state) {
    if (!state.isInstanceFound()) return null;
    FailureDetails failure = state.getFailureDetails();
    JsonNode customStatus =
        state.isCustomStatusFetched() ? state.readCustomStatusAs(JsonNode.class) : null;
    return Json.object(
        "instanceId", state.getInstanceId(),
        "name", state.getName(),
        "status", state.getRuntimeStatus().name(),
        "input", textOrNull(state.getSerializedInput()),
        "output", textOrNull(state.getSerializedOutput()),
        "customStatus", customStatus == null ? null : customStatus.toString(),
        "failure", failure == null || failure.getErrorType().isEmpty() ? null : Json.object(
            "type", failure.getErrorType(), "message", failure.getErrorMessage()),
        "createdAt", state.getCreatedAt().toString(),
        "lastUpdatedAt", state.getLastUpdatedAt().toString());
  }

  private static String textOrNull(String text) {
    return text == null || text.isEmpty() ? null : text;
  }
}
