import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

/**
 * Makes 2,000 checks, eight at a time, with an HTTP client as its users have it.
 *
 * <p>Usage: java JavaChecks CLIENT, where CLIENT is HttpClient or HttpURLConnection; java
 * JavaChecks HttpClient away, where the front is away: the example fails open.
 */
class JavaChecks {
    private static final String KEY = "java + " + ProcessHandle.current().pid();

    public static void main(String[] args) throws Exception {
        Limiter limiter = new Limiter();
        if (args.length > 1) {
            expect(limiter.waitSeconds(KEY) == 0, "it fails closed");
            return;
        }
        boolean isDefault = args[0].equals("HttpClient");
        Callable<Boolean> check = isDefault ? () -> allowed(limiter) : JavaChecks::connect;
        ExecutorService threads = Executors.newFixedThreadPool(8);
        int allowed = 0;
        for (Future<Boolean> done :
                threads.invokeAll(IntStream.range(0, 2000).mapToObj(it -> check).toList())) {
            allowed += done.get() ? 1 : 0;
        }
        threads.shutdown();
        expect(allowed >= 100 && allowed < 1000, allowed + " allowed");
    }

    private static boolean allowed(Limiter limiter) throws IOException, InterruptedException {
        long seconds = limiter.check(KEY);
        expect(seconds >= 0, "never");
        return seconds == 0;
    }

    private static boolean connect() throws IOException {
        URI uri = URI.create(System.getenv("RL_SERVER") + "/check");
        HttpURLConnection connection = (HttpURLConnection) uri.toURL().openConnection();
        connection.setDoOutput(true);
        connection.getOutputStream().write(("{\"key\":\"url " + KEY + "\"}").getBytes());
        try (InputStream answer = connection.getInputStream()) {
            return new String(answer.readAllBytes()).contains("\"allowed\":true");
        }
    }

    private static void expect(boolean holds, String otherwise) {
        if (!holds) throw new IllegalStateException(otherwise);
    }
}
