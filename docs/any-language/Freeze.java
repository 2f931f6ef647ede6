import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class Freeze {
    static final String SERVE = "tlslab serve large-post-deadlock --speed 24 --port 0 --ready-file - --control 0";
    static String ready; // one line of JSON; a program with a JSON library reads it with that

    public static void main(String[] arguments) throws Exception {
        Process lab = new ProcessBuilder(SERVE.split(" ")).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try (BufferedReader output = lab.inputReader()) {
            ready = output.readLine();

            try {
                throw new AssertionError("it did not freeze: " + upload());
            } catch (IOException expected) {
                System.out.println("It froze: " + expected);
            }
            String seen = control("GET", "/labs/large-post-deadlock/connections", "");
            check("true".equals(value("deadlocked", seen)), seen);

            control("PATCH", "/labs/large-post-deadlock", "{\"fixes\": [\"negotiate-on-binding\"]}");
            int status = upload();
            check(status == 200, "answered " + status);
            seen = control("GET", "/labs/large-post-deadlock/connections", "");
            check(seen.contains("CN=alice"), seen);
            System.out.println("With the fix: " + status);
        } finally {
            lab.destroy(); // SIGTERM
        }
        check(lab.waitFor() == 0, "the lab did not end well");
    }

    /** The client under test: put your own here. */
    static int upload() throws Exception {
        HttpClient client = HttpClient.newBuilder().sslContext(alice()).build(); // a new one keeps no connection
        HttpRequest request = HttpRequest.newBuilder(URI.create(value("target_url", ready)))
            .version(HttpClient.Version.HTTP_1_1).POST(BodyPublishers.ofByteArray(new byte[1 << 20])).build();
        return client.send(request, BodyHandlers.discarding()).statusCode();
    }

    static SSLContext alice() throws Exception {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null);
        try (InputStream file = Files.newInputStream(Path.of(value("ca_file", ready)))) {
            trusted.setCertificateEntry("lab", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        String identity = ready.substring(ready.indexOf("\"alice\""));
        char[] password = value("pkcs12_password", identity).toCharArray();
        KeyStore own = KeyStore.getInstance("PKCS12");
        try (InputStream file = Files.newInputStream(Path.of(value("pkcs12_file", identity)))) {
            own.load(file, password);
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(own, password);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    static String control(String method, String path, String body) throws Exception {
        String where = ready.substring(ready.indexOf("\"control\""));
        HttpRequest request = HttpRequest.newBuilder(URI.create(value("url", where) + path))
            .header("Authorization", "Bearer " + value("token", where)).header("Content-Type", "application/json")
            .method(method, BodyPublishers.ofString(body)).build();
        var answer = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
        check(answer.statusCode() == 200, answer.body());
        return answer.body();
    }

    /** The first value of this name in some JSON, as text. */
    static String value(String name, String json) {
        Matcher found = Pattern.compile("\"" + name + "\": ?\"?([^\",}]*)").matcher(json);
        check(found.find(), "no " + name + " in " + json);
        return found.group(1);
    }

    static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }
}
