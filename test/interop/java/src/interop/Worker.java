package interop;

import com.microsoft.durabletask.DurableTaskGrpcWorker;
import com.microsoft.durabletask.DurableTaskGrpcWorkerBuilder;
import io.grpc.ManagedChannel;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/** A worker of the SDK, on a thread that can be stopped: its own `stop` leaves that one running. */
final class Worker implements AutoCloseable {
  private static final String HELLO = "hello";

  private final ManagedChannel channel;
  private final CountDownLatch heard = new CountDownLatch(1);
  private final Thread thread;

  Worker(String address, String taskHub, Consumer<DurableTaskGrpcWorkerBuilder> register) {
    channel = Hub.channel(address, taskHub);
    DurableTaskGrpcWorkerBuilder builder = new DurableTaskGrpcWorkerBuilder();
    register.accept(builder);
    builder.addOrchestration(Area.factoryOf(HELLO, (context, given) -> sayHello()));
    DurableTaskGrpcWorker worker = builder.grpcChannel(channel).build();
    thread = new Thread(worker::startAndBlock, "worker");
    thread.setDaemon(true);
    thread.start();
  }

  /** Waits until it has work: it does not say when it is connected. */
  void connected(Hub hub) throws TimeoutException {
    while (heard.getCount() > 0) hub.run(HELLO, null);
  }

  private Object sayHello() {
    heard.countDown();
    return null;
  }

  @Override
  public void close() throws InterruptedException {
    thread.interrupt();
    thread.join();
    channel.shutdownNow();
  }
}
