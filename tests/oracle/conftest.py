"""An Apache on loopback, and a lab beside it that is set like it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.servers import Files, make_files
from tlslab import open_lab

HERE = Path(__file__).parent
MODULES = ("mpm_event", "authz_core", "socache_shmcb", "ssl", "headers", "rewrite")
MODULES_FOLDERS = (Path("/usr/lib/apache2/modules"), Path("/usr/lib64/httpd/modules"), Path("/usr/libexec/apache2"))
PATIENCE_SECONDS = 20.0
READ_AHEAD = 49_152  # IIS' uploadReadAheadSize; Apache's own SSLRenegBufferSize is 131,072


@dataclass(frozen=True, slots=True)
class Peer:
    """A server to ask: where it listens, by version of TLS, and whom a client must trust and be."""

    name: str
    ports: dict[str, int]
    ca_file: Path
    identities: dict[str, tuple[Path, Path]]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Certificates of the lab's own PKI, for Apache too. Its children run as somebody else, so folders are open."""
    folder = tmp_path_factory.mktemp("oracle")
    for one in (folder, *folder.parents[:2]):
        one.chmod(0o755)
    return make_files(folder)


@pytest.fixture(scope="session")
def apache(files: Files, require_client: Callable[[str], str]) -> Iterator[Peer]:
    """Apache with mod_ssl: /require and /optional ask for a certificate after the request, /open does not."""
    program = require_client("apache2")
    modules = next((one for one in MODULES_FOLDERS if one.is_dir()), None)
    if modules is None:
        pytest.skip("Apache's modules are in none of the usual folders")
    ports = {"1.2": _free_port(), "1.3": _free_port()}
    config = files.folder / "httpd.conf"
    config.write_text(_config(files, modules, ports))
    (files.folder / "htdocs").mkdir()
    log = files.folder / "apache.log"
    with (
        log.open("wb") as out,
        subprocess.Popen([program, "-f", str(config), "-D", "FOREGROUND"], stdout=out, stderr=out) as process,
    ):
        try:
            _wait_for(ports["1.3"], process, log)
            yield Peer("apache", ports, files.ca, _identities(files))
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def lab(files: Files) -> Iterator[Peer]:
    """The lab, with the same files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLSLAB_HOME", str(files.folder / "home"))
        with open_lab(HERE / "lab.yaml") as lab:
            ports = {version: int(lab.url("", name).rpartition(":")[2]) for version, name in BINDINGS.items()}
            yield Peer("lab", ports, Path(lab.ca_file), _identities(files))


BINDINGS = {"1.2": "tls12", "1.3": "tls13"}


def _identities(files: Files) -> dict[str, tuple[Path, Path]]:
    folder = files.client_cert.parent
    others = {
        name: (folder / "identities" / f"{name}.pem", folder / "identities" / f"{name}-key.pem")
        for name in ("wrong-ca", "expired")
    }
    return {"alice": (files.client_cert, files.client_key), **others}


def _config(files: Files, modules: Path, ports: dict[str, int]) -> str:
    lines = [f"LoadModule {name}_module {modules}/mod_{name}.so" for name in MODULES]
    lines += [f"ServerRoot {files.folder}", f"PidFile {files.folder}/pid", "ServerName localhost"]
    lines += [f"ErrorLog {files.folder}/error.log", f"DocumentRoot {files.folder}/htdocs"]
    lines += [f"SSLSessionCache shmcb:{files.folder}/sessions(512000)", "SSLSessionTickets off"]
    if os.geteuid() == 0:
        lines += ['User "#65534"', 'Group "#65534"']
    for version, port in ports.items():
        lines += [f"Listen 127.0.0.1:{port}", f"<VirtualHost 127.0.0.1:{port}>", "  SSLEngine on"]
        lines += [f"  SSLProtocol TLSv{version}", f"  SSLCertificateFile {files.server_cert}"]
        lines += [f"  SSLCertificateKeyFile {files.server_key}", f"  SSLCACertificateFile {files.client_ca}"]
        lines += ['  Header always set X-Client "%{SSL_CLIENT_S_DN_CN}s"']
        for path, wanted in (("/", "none"), ("/require", "require"), ("/optional", "optional")):
            lines += [f"  <Location {path}>", f"    SSLVerifyClient {wanted}", "    SSLVerifyDepth 2"]
            # 204 once it is let in, whatever the method: a file would take no POST.
            lines += [f"    SSLRenegBufferSize {READ_AHEAD}", "    RewriteEngine on", "    RewriteRule ^ - [R=204,L]"]
            lines += ["  </Location>"]
        lines += ["</VirtualHost>"]
    return "\n".join(lines) + "\n"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"Apache does not listen: {log.read_text(errors='replace')}")


@pytest.fixture(scope="session")
def body(files: Files) -> Callable[[int], Path]:
    """Return a function that gives a file of so many bytes."""

    def make(size: int) -> Path:
        path = files.folder / f"{size}.bin"
        path.write_bytes(bytes(size))
        return path

    return make


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the servers themselves."""
    monkeypatch.setenv("NO_PROXY", "*")
