// Takes requests one after another, each on a connection of its own, and prints how each ended: with the HttpClient of
// Java 11 and with HttpsURLConnection.
// Arguments: the authority to trust, and requests written NAME,METHOD,BYTES,IDENTITY,URL, the identity without .pem.

import java.io.InputStream;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class Requests {
    static final Pattern STATUS = Pattern.compile("\"status\": \"([0-9.]+)\"");
    static final char[] PASSWORD = "tlslab".toCharArray();

    static SSLContext context(String authority, String identity) throws Exception {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null);
        try (InputStream file = Files.newInputStream(Path.of(authority))) {
            trusted.setCertificateEntry("lab", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        KeyStore own = KeyStore.getInstance("PKCS12");
        try (InputStream file = Files.newInputStream(Path.of(identity + ".p12"))) {
            own.load(file, PASSWORD);
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(own, PASSWORD);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    static String withHttpClient(SSLContext context, String method, byte[] body, String url) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url)).version(HttpClient.Version.HTTP_1_1)
            .header("User-Agent", "HttpClient").method(method, HttpRequest.BodyPublishers.ofByteArray(body)).build();
        HttpClient client = HttpClient.newBuilder().sslContext(context).build(); // a new one keeps no connection
        return status(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
    }

    static String withUrlConnection(SSLContext context, String method, byte[] body, String url) throws Exception {
        HttpsURLConnection connection = (HttpsURLConnection) new URL(url).openConnection();
        connection.setSSLSocketFactory(context.getSocketFactory());
        connection.setRequestMethod(method);
        connection.setRequestProperty("User-Agent", "HttpsURLConnection");
        connection.setRequestProperty("Connection", "close");
        connection.setRequestProperty("Accept", "application/json");
        if (body.length > 0) {
            connection.setDoOutput(true);
            connection.getOutputStream().write(body);
        }
        int code = connection.getResponseCode();
        try (InputStream answer = code < 400 ? connection.getInputStream() : connection.getErrorStream()) {
            return status(new String(answer.readAllBytes()));
        }
    }

    static String status(String text) {
        Matcher found = STATUS.matcher(text);
        return found.find() ? found.group(1) : text;
    }

    public static void main(String[] arguments) throws Exception {
        for (String way : new String[] {"HttpClient", "HttpsURLConnection"}) {
            Map<String, SSLContext> contexts = new HashMap<>(); // they keep the sessions
            for (int at = 1; at < arguments.length; at++) {
                String[] part = arguments[at].split(",");
                if (!contexts.containsKey(part[3])) {
                    contexts.put(part[3], context(arguments[0], part[3]));
                }
                SSLContext context = contexts.get(part[3]);
                byte[] body = new byte[Integer.parseInt(part[2])];
                String outcome;
                try {
                    outcome = way.equals("HttpClient")
                        ? withHttpClient(context, part[1], body, part[4])
                        : withUrlConnection(context, part[1], body, part[4]);
                } catch (Exception error) {
                    outcome = error.toString();
                }
                System.out.println(way + "\t" + part[0] + "\t" + outcome);
            }
        }
    }
}
