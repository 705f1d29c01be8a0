// An ordinary day with Java: every piece is what real projects do, and behaves inside as it does outside.
import com.sun.net.httpserver.HttpServer;
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.channels.*;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;

public class Day {
    interface Piece { void run() throws Exception; }

    static void check(boolean holds, Object what) {
        if (!holds) throw new AssertionError(String.valueOf(what));
    }

    static void threads() throws Exception {
        var pool = Executors.newFixedThreadPool(32);
        var sum = new AtomicInteger();
        for (int n = 0; n < 1000; n++) pool.submit(sum::incrementAndGet);
        pool.shutdown();
        check(pool.awaitTermination(30, TimeUnit.SECONDS) && sum.get() == 1000, sum);
        check(IntStream.range(0, 100_000).parallel().asLongStream().sum() == 4999950000L, "parallel");
    }

    static void http() throws Exception {
        for (var host : List.of("127.0.0.1", "::1", "localhost")) {
            var server = HttpServer.create(new InetSocketAddress(InetAddress.getByName(host), 0), 0);
            server.createContext("/", exchange -> {
                exchange.sendResponseHeaders(200, 6);
                exchange.getResponseBody().write("served".getBytes());
                exchange.close();
            });
            server.start();
            var name = host.contains(":") ? "[" + host + "]" : host;
            var uri = URI.create("http://" + name + ":" + server.getAddress().getPort() + "/");
            var request = HttpRequest.newBuilder(uri).build();
            var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
            check(answer.body().equals("served"), answer);
            server.stop(0);
        }
    }

    static void interfaces() throws Exception {
        check(Collections.list(NetworkInterface.getNetworkInterfaces()).stream().anyMatch(i -> i.getName().equals("lo")), "lo");
    }

    static void children() throws Exception {
        var child = new ProcessBuilder("sh", "-c", "echo $((6 * 7))").start();
        check(new String(child.getInputStream().readAllBytes()).equals("42\n"), "output");
        var sleeper = new ProcessBuilder("sleep", "60").start();
        sleeper.destroy();
        check(sleeper.waitFor() == 143, sleeper.exitValue());
    }

    static void pipe() throws Exception {
        var cat = new ProcessBuilder("cat").start();
        var writer = CompletableFuture.runAsync(() -> {
            try (var into = cat.getOutputStream()) { into.write(new byte[50 << 20]); }
            catch (IOException error) { throw new UncheckedIOException(error); }
        });
        long got = 0;
        var buffer = new byte[1 << 16];
        for (int n; (n = cat.getInputStream().read(buffer)) > 0; ) got += n;
        writer.get();
        check(got == 50 << 20, got);
    }

    static void lock() throws Exception {
        var file = Files.createTempFile("day", "lock");
        try (var channel = FileChannel.open(file, StandardOpenOption.WRITE); var held = channel.lock()) {
            var script = "import fcntl, sys\ntry: fcntl.lockf(open(sys.argv[1], 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)\nexcept OSError: sys.exit(7)";
            var other = new ProcessBuilder("python3", "-c", script, file.toString()).start();
            check(other.waitFor() == 7, "the lock was not held");
        }
    }

    static void watch() throws Exception {
        var place = Files.createTempDirectory("day");
        var watcher = FileSystems.getDefault().newWatchService();
        place.register(watcher, StandardWatchEventKinds.ENTRY_CREATE);
        Files.writeString(place.resolve("new"), "x");
        var key = watcher.poll(30, TimeUnit.SECONDS);
        check(key != null && key.pollEvents().get(0).context().toString().equals("new"), key);
    }

    static void terminal() throws Exception {
        var child = new ProcessBuilder("script", "-qec", "test -t 0 && test -t 1 && echo terminal", "/dev/null").start();
        child.getOutputStream().close();
        check(new String(child.getInputStream().readAllBytes()).contains("terminal"), "no terminal");
    }

    static void names() throws Exception {
        var place = Files.createTempDirectory("day");
        Files.writeString(place.resolve("näme-日本-🦊"), "ok");
        try (var all = Files.list(place)) {
            check(all.map(path -> path.getFileName().toString()).toList().equals(List.of("näme-日本-🦊")), "names");
        }
    }

    public static void main(String[] arguments) throws Exception {
        var pieces = new TreeMap<String, Piece>(Map.of("threads", Day::threads, "http", Day::http, "interfaces", Day::interfaces,
            "children", Day::children, "pipe", Day::pipe, "lock", Day::lock, "watch", Day::watch, "terminal", Day::terminal,
            "names", Day::names));
        for (var piece : pieces.entrySet()) {
            piece.getValue().run();
            System.out.println(piece.getKey() + " works");
        }
        System.exit(0);
    }
}
