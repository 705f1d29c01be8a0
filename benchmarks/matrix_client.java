import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

class Get {
    public static void main(String[] words) throws Exception {
        var address = URI.create("https://" + words[1] + "/hello");
        if (words[0].equals("url")) {
            try (var stream = address.toURL().openStream()) {
                System.out.print(new String(stream.readAllBytes()));
            }
            return;
        }
        var request = HttpRequest.newBuilder(address).build();
        var client = HttpClient.newBuilder().proxy(java.net.ProxySelector.getDefault()).build();
        System.out.print(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
    }
}
