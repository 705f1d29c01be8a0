import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

class Get {
    public static void main(String[] words) throws Exception {
        var key = System.getenv().getOrDefault("API_KEY", "none");
        var address = URI.create("https://" + words[1] + (key.equals("none") ? "/hello" : "/secret/hello"));
        if (words[0].equals("url")) {
            var connection = address.toURL().openConnection();
            connection.setRequestProperty("X-API-Key", key);
            try (var stream = connection.getInputStream()) {
                System.out.print(new String(stream.readAllBytes()));
            }
            return;
        }
        var request = HttpRequest.newBuilder(address).header("X-API-Key", key).build();
        var client = HttpClient.newBuilder().proxy(java.net.ProxySelector.getDefault()).build();
        System.out.print(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
    }
}
