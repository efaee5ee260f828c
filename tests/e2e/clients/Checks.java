import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;

/**
 * Makes checks one after another, with the HTTP client of the JDK as it is. By default it offers
 * "Upgrade: h2c" with every request.
 *
 * <p>Usage: java Checks.java URL COUNT
 */
class Checks {
    public static void main(String[] args) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        HttpRequest request =
                HttpRequest.newBuilder(URI.create(args[0] + "/check"))
                        .header("Content-Type", "application/json")
                        .POST(BodyPublishers.ofString("{\"key\":\"user:42\"}"))
                        .build();
        int failed = 0;
        for (int left = Integer.parseInt(args[1]); left > 0; left--) {
            try {
                HttpResponse<String> response = client.send(request, BodyHandlers.ofString());
                if (response.statusCode() != 200 || !response.body().contains("\"allowed\"")) {
                    System.err.println(response.statusCode() + " " + response.body());
                    failed++;
                }
            } catch (java.io.IOException error) {
                System.err.println(error);
                failed++;
            }
        }
        System.out.println(failed + " failed");
    }
}
