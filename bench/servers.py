"""The servers that are compared: each is started on loopback, says its version, and is ended by whoever started it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

from bench import process
from bench.load import CIPHER
from tlslab.lab.evidence import KEY_LOG_VARIABLES
from tlslab.pki.export import certificates_pem, key_pem
from tlslab.pki.store import open_pki

ROOT = Path(__file__).parent.parent
PEERS = ROOT / ".venv-bench"
READY_SECONDS = 20.0
INSTALL_SECONDS = 300.0
NOTHING: Mapping[str, str] = MappingProxyType({})
EVIDENCE = ("tlslab-events", "tlslab-keylog", "tlslab-logs", "tlslab-pcapng")  # the lab, and what it writes meanwhile
APACHE_MODULES = ("mpm_event", "authz_core", "socache_shmcb", "ssl")


class Skipped(Exception):
    """A peer cannot be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Files:
    """A folder for everything a run writes, the certificates in it, and how long an answer's body is."""

    folder: Path
    server_cert: Path
    server_key: Path
    ca: Path
    client_ca: Path
    client_cert: Path
    client_key: Path
    body_bytes: int = 0

    @property
    def client(self) -> tuple[str, str, str]:
        """What a client needs: whom it trusts, its certificate and its key."""
        return str(self.ca), str(self.client_cert), str(self.client_key)

    def evidence(self, name: str) -> Path:
        """Where the server of that name writes what it was told to, if it was."""
        return self.folder / f"{name}-evidence"


@dataclass(slots=True)
class Server:
    """A server that listens. `ready_after` is how many seconds it took to."""

    name: str
    version: str
    port: int
    process: subprocess.Popen[bytes]
    ready_after: float

    def cpu_seconds(self) -> float:
        """What it and all processes that it started have used so far."""
        return process.cpu_seconds(self.process.pid)

    def settle(self) -> None:
        """Wait until it has nothing left to do."""
        process.settle(self.process.pid)


def make_files(folder: Path) -> Files:
    """Make the lab's certificates and a server certificate of the same kind for the peers."""
    folder.chmod(0o755)  # Apache's children run as somebody else
    pki = open_pki(folder / "home", datetime.now(UTC))
    credential = pki.server_credential(())
    cert, key = folder / "server.pem", folder / "server-key.pem"
    cert.write_bytes(certificates_pem(credential.chain))
    key.write_bytes(key_pem(credential.key))
    client_ca = folder / "client-ca.pem"
    shutil.copy(pki.folder / "client-ca.pem", client_ca)
    alice = pki.identities["alice"]
    return Files(folder, cert, key, pki.ca_file, client_ca, alice.cert_file, alice.key_file)


@contextmanager
def started(name: str, files: Files, environment: Mapping[str, str] = NOTHING) -> Iterator[Server]:
    """Start a server by name, wait until it listens, and end it."""
    label, line, port, extra = SERVERS[name](files)
    log = files.folder / f"{name}.log"
    begun = time.monotonic()
    with log.open("wb") as out:
        child = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, "BODY_BYTES": str(files.body_bytes), **extra, **environment},
            start_new_session=True,  # by which `process` knows its processes
        )
    try:
        port = _wait(child, port, Path(extra["READY"]) if "READY" in extra else None, log)
        yield Server(name, label, port, child, time.monotonic() - begun)
    finally:
        process.end(child)


def _wait(child: subprocess.Popen[bytes], port: int, ready: Path | None, log: Path) -> int:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and child.poll() is None:
        if ready is not None and ready.exists():
            return int(json.loads(ready.read_text())["bindings"][0]["port"])
        if ready is None and _listens(port):
            return port
        time.sleep(0.005)
    raise Skipped(f"it did not start: {log.read_text(errors='replace')[-300:].strip()}")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- who they are: version, command line, port (0: the ready file says), environment ---------------------------------

Start = tuple[str, list[str], int, dict[str, str]]


def _lab(files: Files, name: str, *more: str) -> Start:
    ready = files.folder / f"{name}-ready.json"
    ready.unlink(missing_ok=True)
    line = [sys.executable, "-m", "tlslab", "serve", "--scenario", "bench/lab.yaml", "--port", "0"]
    line += ["--ready-file", str(ready), *more]
    extra = {"TLSLAB_HOME": str(files.folder / "home"), "READY": str(ready)}
    extra |= dict.fromkeys(KEY_LOG_VARIABLES, "")  # whoever measures may have one of them set
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return f"tlslab {project['version']}, {_stack()}", line, 0, extra


def _lab_writing(name: str) -> Callable[[Files], Start]:
    return lambda files: _lab(files, name, f"--{name.partition('-')[2]}", str(files.evidence(name)))


def _bare(files: Files, *options: str) -> Start:
    port = _free_port()
    line = [sys.executable, "-m", "bench.bare", str(port), *map(str, (files.server_cert, files.server_key))]
    return f"bench/bare.py, {_stack()}", [*line, str(files.client_ca), *options], port, {}


def _stack() -> str:
    from OpenSSL import SSL

    openssl = SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode().split()[1]
    names = ", ".join(f"{name} {version(name)}" for name in ("pyOpenSSL", "cryptography", "trio", "h11"))
    return f"{names}, OpenSSL {openssl}"


def _apache(files: Files) -> Start:
    program = shutil.which("apache2", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    modules = Path("/usr/lib/apache2/modules")
    if program is None or not modules.is_dir():
        raise Skipped("no apache2 here (Debian and Ubuntu: apt-get install apache2)")
    root = files.folder / "apache"
    documents = root / "htdocs"
    documents.mkdir(parents=True, exist_ok=True)
    (documents / "secure").write_bytes(b"x" * files.body_bytes)
    port = _free_port()
    config = root / "httpd.conf"
    config.write_text(_apache_config(root, port, files, modules))
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stdout.split()[2]
    return (
        f"{said}, mod_ssl, MPM event, OpenSSL {_system_openssl()}",
        [program, "-D", "FOREGROUND", "-f", str(config)],
        port,
        {},
    )


def _system_openssl() -> str:
    program = shutil.which("openssl")
    if program is None:
        return "of the system"
    return subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout.split()[1]


def _apache_config(root: Path, port: int, files: Files, modules: Path) -> str:
    lines = [f"LoadModule {name}_module {modules}/mod_{name}.so" for name in APACHE_MODULES]
    lines += [
        f"ServerRoot {root}",
        f"PidFile {root}/pid",
        "ServerName localhost",
        f"Listen 127.0.0.1:{port}",
        f"ErrorLog {root}/error.log",
        f"DocumentRoot {root}/htdocs",
        "SSLEngine on",
        "SSLProtocol TLSv1.2",
        f"SSLCipherSuite {CIPHER}",
        "SSLSessionTickets off",
        f"SSLSessionCache shmcb:{root}/sessions(512000)",
        f"SSLCertificateFile {files.server_cert}",
        f"SSLCertificateKeyFile {files.server_key}",
        f"SSLCACertificateFile {files.client_ca}",
        "<Location /secure>",
        "  SSLVerifyClient require",
        "  SSLVerifyDepth 2",
        "</Location>",
    ]
    if os.geteuid() == 0:
        lines += ['User "#65534"', 'Group "#65534"']
    return "\n".join(lines) + "\n"


def _hypercorn(files: Files) -> Start:
    python, port = _peers_python(), _free_port()
    line = [str(python), "bench/app.py", str(port), str(files.server_cert), str(files.server_key)]
    label = f"Hypercorn {_peer_version('hypercorn')}, trio worker, OpenSSL {_peer_openssl()}"
    return label, line, port, {}


def _uvicorn(files: Files) -> Start:
    python, port = _peers_python(), _free_port()
    line = [str(python), "-m", "uvicorn", "bench.app:app", "--port", str(port), "--no-access-log", "--http", "h11"]
    line += ["--ssl-certfile", str(files.server_cert), "--ssl-keyfile", str(files.server_key), "--ssl-ciphers", CIPHER]
    label = f"uvicorn {_peer_version('uvicorn')}, asyncio, h11, OpenSSL {_peer_openssl()}"
    return label, line, port, {}


SERVERS: dict[str, Callable[[Files], Start]] = {
    "tlslab": lambda files: _lab(files, "tlslab"),
    **{name: _lab_writing(name) for name in EVIDENCE},
    "tlslab-idle": lambda files: _lab(files, "tlslab-idle"),  # one more, that has nothing to hold
    "bare": _bare,
    "bare-sha256": lambda files: _bare(files, "--sha256"),
    "apache": _apache,
    "hypercorn": _hypercorn,
    "uvicorn": _uvicorn,
}


# --- the peers' own environment --------------------------------------------------------------------------------------


def _peers_python() -> Path:
    """The Python of .venv-bench, which is made where it is missing; Skipped where that does not work."""
    python, stamp = PEERS / "bin" / "python", PEERS / ".ready"
    wanted = (ROOT / "bench" / "requirements.txt").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        _install(python)
        stamp.write_text(wanted)
    return python


def _install(python: Path) -> None:
    make = [sys.executable, "-m", "venv", "--clear", str(PEERS)]
    fill = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "-r"]
    try:
        for line in (make, [*fill, str(ROOT / "bench" / "requirements.txt")]):
            subprocess.run(line, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.SubprocessError as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
        raise Skipped(f"it could not be installed: {' '.join(reason)}") from None


def _ask_peers(code: str) -> str:
    line = [str(_peers_python()), "-c", code]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()


def _peer_version(name: str) -> str:
    return _ask_peers(f"import importlib.metadata as m; print(m.version({name!r}))")


def _peer_openssl() -> str:
    return _ask_peers("import ssl; print(ssl.OPENSSL_VERSION.split()[1])")
