package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * A worker and a client of the published durabletask-client that run what they are told.
 *
 * <pre>java interop.Main AREA ADDRESS TASK_HUB</pre>
 *
 * <p>Each line of standard input is `[number, name, ...arguments]` in JSON: a scenario of the area,
 * or a command of it. They run side by side. Each is answered with one line in JSON: its number,
 * and its `result` or its `error`. The program ends with its input.
 */
public final class Main {
  private static final PrintStream ANSWERS =
      new PrintStream(System.out, true, StandardCharsets.UTF_8);
  private static final Logger SDK = Logger.getLogger("com.microsoft.durabletask");

  public static void main(String[] args) throws IOException {
    SDK.setLevel(Level.WARNING);
    Area area = areaNamed(args[0]);
    Hub hub = new Hub(args[1], args[2], area);
    if (area.hasWork()) hub.work(area::register);
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      ArrayNode request = (ArrayNode) Json.parse(line);
      Thread thread = new Thread(() -> answer(area, hub, request));
      thread.setDaemon(true);
      thread.start();
    }
    // There is nothing to finish, and the threads of the SDK do not end by themselves.
    Runtime.getRuntime().halt(0);
  }

  private static void answer(Area area, Hub hub, ArrayNode request) {
    JsonNode number = request.remove(0);
    String name = request.remove(0).asText();
    ObjectNode answer;
    try {
      Object result = area.asked(name).run(hub, request);
      answer = Json.object("number", number, "result", result);
    } catch (Throwable error) {
      StringWriter trace = new StringWriter();
      error.printStackTrace(new PrintWriter(trace));
      answer = Json.object("number", number, "error", trace.toString());
    }
    ANSWERS.println(Json.line(answer));
  }

  private static Area areaNamed(String name) {
    return switch (name) {
      case "activities" -> new Activities();
      case "children" -> new Children();
      case "continue-as-new" -> new ContinueAsNew();
      case "control" -> new Control();
      case "events" -> new Events();
      case "instances" -> new Instances();
      case "lost-worker" -> new LostWorker();
      case "payloads" -> new Payloads();
      case "purge" -> new Purge();
      case "queries" -> new Queries();
      case "restart" -> new Restart();
      case "rewind" -> new Rewind();
      case "suspension" -> new Suspension();
      case "workers" -> new Workers();
      default -> throw new IllegalArgumentException("there is no area " + name);
    };
  }
}
