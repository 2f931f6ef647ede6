"""Which clients look at the limits of the lab's server authority: what docs/identities.md says of each."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tlslab.pki.authorities import make_server_authority, server_credential
from tlslab.pki.export import certificates_pem, key_pem

ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"
JAVA = """public class Get { public static void main(String[] a) throws Exception {
    if (((java.net.HttpURLConnection) new java.net.URL(a[0]).openConnection()).getResponseCode() != 200) System.exit(1);
} }"""
PYTHON = """import ssl, sys, urllib.request
urllib.request.urlopen(sys.argv[1], context=ssl.create_default_context(cafile=sys.argv[2]))"""


@contextmanager
def server(folder: Path, names: list[str]) -> Iterator[tuple[str, Path]]:
    """A server for localhost and these names: its URL, and its authority, which is limited to the former."""
    now = datetime.now(UTC)
    authority = make_server_authority("tlslab Test CA", now, [])
    credential = server_credential(authority, names, now)
    (folder / "ca.pem").write_bytes(certificates_pem([authority.certificate]))
    (folder / "server.pem").write_bytes(certificates_pem(credential.chain) + key_pem(credential.key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer, args=(listener, context), daemon=True).start()
        yield f"https://localhost:{listener.getsockname()[1]}/", folder / "ca.pem"
        listener.shutdown(socket.SHUT_RDWR)


def _answer(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        try:
            with context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(65536)
                tls.sendall(ANSWER)
        except OSError:
            connection.close()


def succeeds(*words: str) -> bool:
    """Whether a command ends with 0."""
    environment = {**os.environ, "no_proxy": "*"}
    done = subprocess.run(words, input=b"", capture_output=True, check=False, timeout=60, env=environment)
    return done.returncode == 0


def command(program: str, path: str, url: str, ca: Path) -> list[str]:
    """What gets the URL and trusts this authority alone."""
    port = url.rstrip("/").rpartition(":")[2]
    node = (
        f"require('https').get('{url}', {{ca: require('fs').readFileSync('{ca}')}}).on('error', () => process.exit(1))"
    )
    store = ca.with_name("store.p12")
    trusts = [f"-Djavax.net.ssl.trustStore{end}" for end in (f"={store}", "Password=tlslab")]
    return {
        "curl": [path, "-sSf", "--cacert", str(ca), url],
        "wget": [path, "-q", "-O", "-", "--tries", "1", "--ca-certificate", str(ca), url],
        "gnutls-cli": [path, "--x509cafile", str(ca), "-p", port, "localhost"],
        "openssl": [path, "verify", "-purpose", "sslserver", "-CAfile", str(ca), str(ca.with_name("server.pem"))],
        "python3": [sys.executable, "-c", PYTHON, url, str(ca)],
        "node": [path, "-e", node],
        "java": [path, *trusts, str(ca.with_name("Get.java")), url],
    }[program]


@pytest.mark.parametrize("program", ["curl", "wget", "gnutls-cli", "openssl", "python3", "node", "java"])
def test_limits(program: str, require_client: Callable[[str], str], tmp_path: Path) -> None:
    """All accept a server within the limits; one whose certificate also has another name is refused, but by Java."""
    path = require_client(program)
    if program == "java":
        require_client("javac")  # a JRE alone runs no source
    accepted = {}
    for kind, names in {"within": ["lab.example"], "outside": ["www.bank.com"]}.items():
        folder = tmp_path / kind
        folder.mkdir()
        with server(folder, names) as (url, ca):
            if program == "java":
                (folder / "Get.java").write_text(JAVA)
                store = ["-keystore", str(folder / "store.p12"), "-storetype", "PKCS12", "-storepass", "tlslab"]
                assert succeeds(require_client("keytool"), "-importcert", "-noprompt", "-file", str(ca), *store)
            accepted[kind] = succeeds(*command(program, path, url, ca))
    assert accepted == {"within": True, "outside": program == "java"}
