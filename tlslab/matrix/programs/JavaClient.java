// Java's HttpClient and HttpsURLConnection. What to ask comes as arguments, one for each request, its fields parted by
// tabs, for there is no JSON in the JDK: method, URL, bytes, same connection, PKCS#12 file, headers as name=value.
// Behind the way and the authority.

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
import java.util.Base64;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;

public class JavaClient {
    static final char[] PASSWORD = "tlslab".toCharArray();

    static SSLContext context(String authority, String identity) throws Exception {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null);
        try (InputStream file = Files.newInputStream(Path.of(authority))) {
            trusted.setCertificateEntry("lab", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        KeyManager[] own = null;
        if (!identity.isEmpty()) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            try (InputStream file = Files.newInputStream(Path.of(identity))) {
                store.load(file, PASSWORD);
            }
            KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
            keys.init(store, PASSWORD);
            own = keys.getKeyManagers();
        }
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(own, trust.getTrustManagers(), null);
        return context;
    }

    static void say(int status, String text, String error) {
        Base64.Encoder encoder = Base64.getEncoder();
        System.out.println(status + "\t" + encoder.encodeToString(text.getBytes()) + "\t"
            + encoder.encodeToString(error.getBytes()));
    }

    public static void main(String[] arguments) throws Exception {
        HttpClient client = null;
        SSLSocketFactory sockets = null;
        for (int at = 2; at < arguments.length; at++) {
            String[] part = arguments[at].split("\t", -1);
            if (client == null || !part[3].equals("true")) {
                SSLContext context = context(arguments[1], part[4]);
                client = HttpClient.newBuilder().sslContext(context).build();
                sockets = context.getSocketFactory();
            }
            byte[] body = new byte[Integer.parseInt(part[2])];
            boolean expects = part[5].equals("true");
            try {
                if (arguments[0].equals("HttpClient")) {
                    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(part[1]))
                        .version(HttpClient.Version.HTTP_1_1).header("Accept", "application/json").expectContinue(expects)
                        .method(part[0], body.length > 0 ? HttpRequest.BodyPublishers.ofByteArray(body)
                            : HttpRequest.BodyPublishers.noBody());
                    for (int more = 6; more < part.length; more++) {
                        String[] header = part[more].split("=", 2);
                        request.header(header[0], header[1]);
                    }
                    HttpResponse<String> answer = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
                    say(answer.statusCode(), answer.body(), "");
                } else {
                    HttpsURLConnection connection = (HttpsURLConnection) new URL(part[1]).openConnection();
                    connection.setSSLSocketFactory(sockets);
                    connection.setRequestMethod(part[0]);
                    connection.setRequestProperty("Accept", "application/json");
                    for (int more = 6; more < part.length; more++) {
                        String[] header = part[more].split("=", 2);
                        connection.setRequestProperty(header[0], header[1]);
                    }
                    if (body.length > 0) {
                        connection.setDoOutput(true);
                        connection.getOutputStream().write(body);
                    }
                    int status = connection.getResponseCode();
                    InputStream answer = status < 400 ? connection.getInputStream() : connection.getErrorStream();
                    say(status, answer == null ? "" : new String(answer.readAllBytes()), "");
                }
            } catch (Exception error) {
                say(0, "", error.toString());
            }
        }
        System.exit(0);
    }
}
