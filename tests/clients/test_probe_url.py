"""`tlslab probe --url` at servers that are not the lab: Apache with mod_ssl, nginx, and openssl s_server."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from bench.servers import Files, make_files

MODULES_FOLDER = Path("/usr/lib/apache2/modules")  # Debian's
MODULES = ("mpm_event", "authz_core", "socache_shmcb", "ssl", "rewrite")
READY_SECONDS = 20.0
Probe = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Files:
    """Certificates of a home, for whoever serves. Children run as somebody else, so folders are open."""
    folder = tmp_path_factory.mktemp("probed")
    for one in (folder, *folder.parents[:2]):
        one.chmod(0o755)
    return make_files(folder)


@pytest.fixture
def probe(files, tmp_path) -> Probe:
    """Probe a port as its user would, and give each finding by its subject, and what is written by `written`."""

    def ask(port: int, path: str, *options: str) -> dict[str, str]:
        written = tmp_path / "written.yaml"
        url = f"https://localhost:{port}{path}"
        words = ["probe", "--url", url, "--identity", "alice", "--json", "--write-scenario", str(written), *options]
        environment = {**os.environ, "TLSLAB_HOME": str(files.folder / "home")}
        command = [sys.executable, "-m", "tlslab"]
        done = subprocess.run([*command, *words], capture_output=True, env=environment, timeout=100, check=False)
        assert done.returncode == 0, done.stderr.decode()
        subprocess.run([*command, "validate", str(written)], check=True, capture_output=True)
        report = json.loads(done.stdout)
        found = {one["subject"]: one["what"] for one in report["findings"]}
        found["can show"] = " ".join(one["scenario"] for one in report["possible"] if one["can"])
        found["written"] = written.read_text(encoding="utf-8")
        return found

    return ask


@contextmanager
def _running(line: list[str], port: int, log: Path, folder: Path) -> Iterator[None]:
    with log.open("wb") as out, subprocess.Popen(line, stdout=out, stderr=out, cwd=folder) as process:
        try:
            until = time.monotonic() + READY_SECONDS
            while not _listens(port):
                assert time.monotonic() < until, log.read_text(errors="replace")
                assert process.poll() is None, log.read_text(errors="replace")
            yield
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@pytest.fixture(scope="module", params=["TLSv1.2", "TLSv1.3"])
def apache(files, require_client, request) -> Iterator[tuple[str, int]]:
    """Apache that wants a certificate for /require alone, by one version of TLS."""
    program, port = require_client("apache2"), _free_port()
    if not MODULES_FOLDER.is_dir():
        pytest.skip(f"no Apache modules in {MODULES_FOLDER}")
    home = files.folder / request.param
    home.mkdir(mode=0o755)
    lines = [f"LoadModule {name}_module {MODULES_FOLDER}/mod_{name}.so" for name in MODULES]
    lines += [f"ServerRoot {home}", f"PidFile {home}/pid", "ServerName localhost", f"ErrorLog {home}/error.log"]
    lines += [f"DocumentRoot {home}", f"SSLSessionCache shmcb:{home}/sessions(512000)", "SSLSessionTickets off"]
    if os.geteuid() == 0:
        lines += ['User "#65534"', 'Group "#65534"']
    lines += [f"Listen 127.0.0.1:{port}", "SSLEngine on", f"SSLProtocol {request.param}"]
    lines += [f"SSLCertificateFile {files.server_cert}", f"SSLCertificateKeyFile {files.server_key}"]
    lines += [f"SSLCACertificateFile {files.client_ca}", "<Location /require>", "SSLVerifyClient require"]
    lines += ["SSLVerifyDepth 2", "SSLRenegBufferSize 20000", "RewriteEngine on", "RewriteRule ^ - [R=204,L]"]
    (home / "httpd.conf").write_text("\n".join([*lines, "</Location>", ""]))
    line = [program, "-f", str(home / "httpd.conf"), "-D", "FOREGROUND"]
    with _running(line, port, home / "out", home):
        yield request.param, port


def test_apache(apache, probe):
    """It asks after the request, by what its version has for that, and reads so much of an upload first."""
    version, port = apache
    found = probe(port, "/require", "--upload")
    how = {"TLSv1.2": "after the request, by a renegotiation"}.get(
        version, "after the request, by TLS 1.3's post-handshake authentication"
    )
    assert found["asks for a certificate"] == how
    assert found["protocols"].startswith(f"TLS {version[4:]} (")
    assert found["issuer list"].startswith("1 name")
    assert found["an issuer of yours"] == "is named"
    assert found["end of a connection"] == "closed with close_notify"
    assert found["Server header"].startswith("Apache")
    assert found["a request without Host"] == "400"
    assert ": 413" in found["uploads"]
    assert "upload-read-ahead-413" in found["can show"]
    written = yaml.safe_load(found["written"])
    assert written["sites"][0]["client_cert_retrieval"]["kind"] == "read_ahead_413"
    assert 19_000 < written["sites"][0]["client_cert_retrieval"]["size"] <= 20_000
    if version == "TLSv1.2":
        assert found["renegotiation by the client"].startswith("refused")
        assert (found["resumption by id"], found["resumption by ticket"]) == ("yes", "no")


def test_apache_where_nothing_is_wanted(apache, probe):
    """The contrast: another path of the same server."""
    found = probe(apache[1], "/", "--quick")
    assert found["asks for a certificate"] == "never, for GET /"
    assert "large-post-deadlock" not in found["can show"]
    assert yaml.safe_load(found["written"])["sites"][0]["ssl_flags"] == ["Ssl"]


def test_nginx(files, probe, require_client):
    """It asks in the first handshake, and answers 400 to who has nothing."""
    program, port = require_client("nginx"), _free_port()
    home = files.folder / "nginx"
    home.mkdir(mode=0o755)
    config = f"""
daemon off; pid {home}/pid; error_log {home}/error.log; events {{}}
http {{ access_log off; client_body_temp_path {home}/b; proxy_temp_path {home}/p; fastcgi_temp_path {home}/f;
  uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
  server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {files.server_cert};
    ssl_certificate_key {files.server_key}; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:a:1m;
    ssl_client_certificate {files.client_ca}; ssl_verify_client on; ssl_verify_depth 2;
    location / {{ return 204; }} }} }}
"""
    (home / "nginx.conf").write_text(config)
    with _running([program, "-p", str(home), "-c", str(home / "nginx.conf")], port, home / "out", home):
        found = probe(port, "/")
    assert found["protocols"].startswith("TLS 1.2, TLS 1.3 (")
    assert found["asks for a certificate"] == "in the first handshake"
    assert found["answers by TLS 1.2"] == "without a certificate 400, with it 204"
    assert found["renegotiation by the client"].startswith("refused")
    assert found["Server header"].startswith("nginx")
    written = yaml.safe_load(found["written"])
    assert written["bindings"]["site"]["client_cert_negotiation"] == "enable"


@pytest.mark.parametrize("asks", [True, False])
def test_s_server(asks, files, probe, require_client):
    """TLS 1.2 of one suite, no tickets, with a request in the first handshake or without."""
    program, port = require_client("openssl"), _free_port()
    line = [program, "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(files.server_cert)]
    line += ["-key", str(files.server_key), "-www", "-tls1_2", "-no_ticket", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"]
    line += ["-Verify", "3", "-CAfile", str(files.client_ca)] if asks else []
    with _running(line, port, files.folder / f"s_server-{asks}.log", files.folder):
        found = probe(port, "/", "--quick")
    assert found["suites of TLS 1.2"] == "ECDHE-ECDSA-AES128-GCM-SHA256"
    assert found["protocols"].startswith("TLS 1.2 (")
    assert found["asks for a certificate"] == ("in the first handshake" if asks else "never, for GET /")
    assert found["resumption by ticket"] == "no"
    assert found["RFC 5746"] == "supported"
