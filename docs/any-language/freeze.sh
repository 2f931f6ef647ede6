#!/bin/sh
set -eu
work=$(mktemp -d)
mkfifo "$work/ready"
tlslab serve large-post-deadlock --speed 24 --port 0 --ready-file - --control 0 >"$work/ready" &
lab=$!
trap 'kill $lab; wait $lab; rm -r "$work"' EXIT

read -r ready <"$work/ready"
value() { printf %s "$ready" | python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; } # or jq

head -c 1048576 /dev/zero >"$work/1MiB.bin"
upload() { # the client under test: put your own here
    curl --silent --show-error --output /dev/null --write-out '%{http_code}' --max-time 30 \
        --cacert "$(value '["ca_file"]')" --header Expect: --data-binary "@$work/1MiB.bin" \
        --cert "$(value '["identities"]["alice"]["cert_file"]')" \
        --key "$(value '["identities"]["alice"]["key_file"]')" "$(value '["target_url"]')"
}
control() {
    method=$1 path=$2 && shift 2
    curl --silent --show-error --fail-with-body --request "$method" "$@" \
        --header "Authorization: Bearer $(value '["control"]["token"]')" "$(value '["control"]["url"]')$path"
}

if status=$(upload); then echo "It did not freeze: $status" && exit 1; fi
control GET /labs/large-post-deadlock/connections | grep '"deadlocked": *true'

control PATCH /labs/large-post-deadlock --json '{"fixes": ["negotiate-on-binding"]}'
[ "$(upload)" = 200 ]
control GET /labs/large-post-deadlock/connections | grep '"certificate": *"CN=alice"'
