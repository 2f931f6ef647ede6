"""What the tests of the command line share: a home, a command run in this process, and labs run in one of their own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tlslab.cli import main, panel
from tlslab.cli.console import LabConsole
from tlslab.lab.options import Options
from tlslab.lab.running import Running
from tlslab.net.server import bind, close_all
from tlslab.pki.store import open_pki
from tlslab.scenario.build import build
from tlslab.scenario.load import LoadedScenario
from tlslab.scenario.overlay import parse_set

ROOT = Path(__file__).parents[2]
SCENARIO = "large-post-deadlock"
PATIENCE_SECONDS = 20  # for what takes half a second; a machine may be busy


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with certificates in it."""
    path = tmp_path_factory.mktemp("home")
    open_pki(path, datetime.now(UTC))
    return path


@pytest.fixture
def run(home: Path) -> Callable[..., Result]:
    """Run a command in this process; only for those that end by themselves."""

    def invoke(*words: str, stdin: bytes | None = None, **environment: str) -> Result:
        environment = {"TLSLAB_HOME": str(home), "COLUMNS": "100", **environment}
        result = CliRunner(env=environment).invoke(main, words, input=stdin, prog_name="tlslab")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def running(home: Path, shipped: Callable[[str], LoadedScenario]) -> Iterator[Callable[[Options], Running]]:
    """Bind what the options say, to sockets that nobody serves."""
    with contextlib.ExitStack() as stack:

        def start(options: Options) -> Running:
            loaded = shipped(options.scenario)
            pki = open_pki(home, datetime.now(UTC))
            overrides = dict(map(parse_set, options.settings))
            plan = build(loaded, options.fixes, overrides, pki, host=options.host, sans=options.sans, port=options.port)
            bound = bind(plan.listeners)
            stack.callback(close_all, bound)
            return Running.of(loaded, plan, pki, [one.listener for one in bound], options, home)

        yield start


@pytest.fixture
def panel_text(running: Callable[[Options], Running]) -> Callable[..., str]:
    """The panel that `serve` prints for these options."""

    def show(scenario: str = SCENARIO, *, width: int = 80, port: int = 0, **options: Any) -> str:
        file = io.StringIO()
        out = LabConsole(patient=False, file=file, width=width, soft_wrap=True, highlight=False, markup=False)
        panel.compose(running(Options(scenario, port=port, **options)))(out)
        return file.getvalue()

    return show


@dataclass
class Lab:
    """`tlslab serve` in a process of its own, which listens."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]

    def line(self, wanted: str) -> str:
        """Read standard output up to the line with `wanted` in it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if wanted in line:
                return line
        raise AssertionError(f"no line with {wanted!r}")

    def connect(self, hostname: str = "localhost") -> ssl.SSLSocket:
        """A TLS connection with the identity alice."""
        first = self.ready["bindings"][0]
        context = ssl.create_default_context(cafile=self.ready["ca_file"])
        alice = self.ready["identities"]["alice"]
        context.load_cert_chain(alice["cert_file"], alice["key_file"])
        sock = socket.create_connection((first["host"], first["port"]), timeout=PATIENCE_SECONDS)
        return context.wrap_socket(sock, server_hostname=hostname)

    def get(self, hostname: str = "localhost") -> bytes:
        """The answer to a small request that needs no certificate."""
        with self.connect(hostname) as tls:
            tls.sendall(f"GET / HTTP/1.1\r\nHost: {hostname}\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: tls.recv(65536), b""))

    def freeze(self) -> ssl.SSLSocket:
        """A connection with an upload that the lab does not take."""
        tls = self.connect()
        tls.sendall(b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000\r\n\r\n" + bytes(200_000))
        return tls

    def end(self, by: signal.Signals) -> tuple[int, str, str]:
        """Send a signal; the exit code and what came on standard output and standard error since."""
        self.process.send_signal(by)
        out, err = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, out or "", err or ""


@contextlib.contextmanager
def serving(home: Path, ready_file: Path, *words: str, stdout: Any = subprocess.PIPE) -> Iterator[Lab]:
    """Serve until the end of the `with`."""
    command = [sys.executable, "-m", "tlslab", "serve", "--scenario", SCENARIO, "--port", "0"]
    process = subprocess.Popen(
        [*command, "--ready-file", str(ready_file), *words],
        cwd=ROOT,
        env={**os.environ, "TLSLAB_HOME": str(home), "COLUMNS": "60"},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    with process:
        try:
            while not ready_file.exists():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.01)
                    raise AssertionError(process.communicate()[1])
            yield Lab(process, json.loads(ready_file.read_text(encoding="utf-8")))
        finally:
            process.kill()


@pytest.fixture(scope="session")
def lab(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab for the tests that leave it as it is."""
    folder = tmp_path_factory.mktemp("lab")
    with serving(home, folder / "ready.json", "--events", "-", "--keylog", str(folder / "keylog")) as lab:
        yield lab


@pytest.fixture
def serve(home: Path, tmp_path: Path) -> Callable[..., contextlib.AbstractContextManager[Lab]]:
    """Serve with these options until the end of the `with`."""
    return lambda *words, **options: serving(home, tmp_path / "ready.json", *words, **options)
