import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;

/**
 * Sends the requests that it reads, one a line: method, path and body, with tabs between them. Prints the status and the body of each
 * answer. It is the JDK's client as it comes, so each request offers an upgrade to HTTP/2.
 */
public class Drive {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = requests.readLine()) != null; ) {
            String[] parts = line.split("\t", 3);
            HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0] + parts[1]))
                .method(parts[0], parts[2].isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(parts[2]))
                .build();
            HttpResponse<String> response = client.send(request, BodyHandlers.ofString());
            System.out.println(response.statusCode() + "\t" + response.body().strip());
        }
    }
}
