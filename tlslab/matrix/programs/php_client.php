<?php
// PHP's streams. What to ask comes as JSON on standard input.
$job = json_decode(stream_get_contents(STDIN), true);
foreach ($job["asks"] as $ask) {
    $headers = ["Accept: application/json", "Connection: close"];
    foreach ($ask["headers"] as $name => $value) {
        $headers[] = "$name: $value";
    }
    $http = ["method" => $ask["method"], "header" => $headers, "ignore_errors" => true, "timeout" => 100];
    if ($ask["body"]) {
        $http["content"] = str_repeat("\0", $ask["body"]);
        $http["header"][] = "Content-Type: application/octet-stream";
    }
    $ssl = ["cafile" => $job["ca"]];
    if ($ask["cert"]) {
        $ssl += ["local_cert" => $ask["cert"], "local_pk" => $ask["key"]];
    }
    $text = @file_get_contents($ask["url"], false, stream_context_create(["http" => $http, "ssl" => $ssl]));
    if ($text === false) {
        $said = ["status" => 0, "text" => "", "error" => error_get_last()["message"] ?? "nothing was said"];
    } else {
        preg_match("/ (\d{3})/", $http_response_header[0], $found);
        $said = ["status" => (int) $found[1], "text" => $text, "error" => ""];
    }
    echo json_encode($said), "\n";
}
