package interop;

import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Places where activities stop until they are let go on; they know their names only. A worker does
 * one thing at a time: whoever keeps one at a gate may not wait for other work of the same worker.
 */
final class Gates {
  /** How long something that must come may take, in seconds: less than a test. */
  static final int PATIENCE = 40;

  private static final ConcurrentMap<String, CountDownLatch> REACHED = new ConcurrentHashMap<>();
  private static final ConcurrentMap<String, CountDownLatch> OPENED = new ConcurrentHashMap<>();

  private Gates() {}

  static String create() {
    return "gate-" + UUID.randomUUID();
  }

  static String passThrough(String name) {
    latch(REACHED, name).countDown();
    await(OPENED, name, "nobody has opened ");
    return name;
  }

  static void waitUntilReached(String name) {
    await(REACHED, name, "nobody has reached ");
  }

  static void open(String name) {
    latch(OPENED, name).countDown();
  }

  private static CountDownLatch latch(ConcurrentMap<String, CountDownLatch> latches, String name) {
    return latches.computeIfAbsent(name, any -> new CountDownLatch(1));
  }

  private static void await(
      ConcurrentMap<String, CountDownLatch> latches, String name, String otherwise) {
    try {
      if (latch(latches, name).await(PATIENCE, TimeUnit.SECONDS)) return;
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
    throw new IllegalStateException(otherwise + name);
  }
}
