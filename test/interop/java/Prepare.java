import java.io.File;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import javax.tools.ToolProvider;

/**
 * Fetches the pinned package and compiles the scenarios against it, or waits for somebody who does.
 *
 * <pre>java Prepare.java POM SOURCES JARS CLASSES</pre>
 *
 * <p>JARS and CLASSES are folders that exist, complete, when this ends with 0. Several processes
 * may ask for them at once: the first one makes them.
 */
public final class Prepare {
  /** Folders are made beside their place, and moved to it when they are complete. */
  private interface Maker {
    void make(Path folder) throws IOException, InterruptedException;
  }

  public static void main(String[] args) throws IOException, InterruptedException {
    Path pom = Path.of(args[0]);
    Path sources = Path.of(args[1]);
    Path jars = Path.of(args[2]);
    Path classes = Path.of(args[3]);
    Files.createDirectories(jars.getParent());
    Path lock = jars.resolveSibling("java.lock");
    // The system lets go of it when this process ends, however it ends.
    try (var channel =
            FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        var held = channel.lock()) {
      ifMissing(jars, folder -> fetch(pom, folder));
      ifMissing(classes, folder -> compile(sources, jars, folder));
    }
  }

  private static void ifMissing(Path folder, Maker maker)
      throws IOException, InterruptedException {
    if (Files.exists(folder)) return;
    Path unfinished = folder.resolveSibling(folder.getFileName() + ".unfinished");
    remove(unfinished);
    Files.createDirectories(unfinished);
    maker.make(unfinished);
    Files.move(unfinished, folder, StandardCopyOption.ATOMIC_MOVE);
  }

  private static void fetch(Path pom, Path folder) throws IOException, InterruptedException {
    var command =
        List.of(
            "mvn",
            "-q",
            "-B",
            "-f",
            pom.toString(),
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            "-DoutputDirectory=" + folder);
    int end = new ProcessBuilder(command).redirectErrorStream(true).inheritIO().start().waitFor();
    if (end != 0) throw new IOException(String.join(" ", command) + " ended with " + end);
  }

  private static void compile(Path sources, Path jars, Path folder) throws IOException {
    String classPath = String.join(File.pathSeparator, filesOf(jars, ".jar"));
    var options = new ArrayList<>(List.of("-d", folder.toString(), "-encoding", "UTF-8"));
    options.addAll(List.of("-proc:none", "-Xlint:all,-classfile,-try", "-Werror"));
    options.addAll(List.of("-cp", classPath));
    options.addAll(filesOf(sources, ".java"));
    String[] arguments = options.toArray(String[]::new);
    int end = ToolProvider.getSystemJavaCompiler().run(null, null, null, arguments);
    if (end != 0) throw new IOException("the scenarios do not compile");
  }

  private static List<String> filesOf(Path folder, String ending) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.map(Path::toString).filter(name -> name.endsWith(ending)).toList();
    }
  }

  private static void remove(Path folder) throws IOException {
    if (!Files.exists(folder)) return;
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) Files.delete(file);
    }
  }
}
