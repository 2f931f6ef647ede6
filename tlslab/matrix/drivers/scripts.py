"""The clients of languages, each in a program of ours beside it (`programs/`)."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tlslab.matrix.asks import Wanted
from tlslab.matrix.driver import (
    PROGRAMS,
    ClientSaid,
    Process,
    RealClient,
    by_lines,
    job,
    no_bodies_in_chunks,
    one_connection_each,
    shortened,
    status_of,
)

PYTHON_CLIENTS = ("http.client", "requests", "httpx", "urllib3", "aiohttp")


def _program(words: Sequence[str], asks: Sequence[Wanted], ca_file: str, folder: Path) -> Process:
    return Process(words, job(asks, ca_file), {"GOCACHE": str(folder / "go"), "GO111MODULE": "off"})


def _no_expect(asks: Sequence[Wanted]) -> str:
    return "it does not wait for 100 Continue" if any(one.expect_100 for one in asks) else ""


def _no_chunks(asks: Sequence[Wanted]) -> str:
    return "its program here sends no chunks" if any(one.chunked for one in asks) else ""


def python(interpreter: str) -> tuple[RealClient, ...]:
    """Python's clients, as that interpreter has them."""
    program = str(PROGRAMS / "python_client")
    return tuple(
        RealClient(
            name,
            (interpreter,),
            (interpreter, "-c", _version_of(name)),
            partial(_program, (interpreter, program, name)),
            by_lines,
            _no_expect if name != "aiohttp" else _no_chunks,
            (interpreter, "-c", f"import {name}"),
        )
        for name in PYTHON_CLIENTS
    )


def _version_of(name: str) -> str:
    if name == "http.client":
        return "import platform; print(platform.python_version())"
    return f"import {name}; print({name}.__version__)"


def _java(way: str, asks: Sequence[Wanted], ca_file: str, _folder: Path) -> Process:
    lines = [
        "\t".join(
            [
                *(one.method, one.url, str(one.body), str(one.same_connection).lower(), one.pkcs12),
                *(str(one.expect_100).lower(), *(f"{name}={value}" for name, value in one.headers.items())),
            ]
        )
        for one in asks
    ]
    return Process(["java", str(PROGRAMS / "JavaClient.java"), way, ca_file, *lines])


def _java_says(done: subprocess.CompletedProcess[str]) -> ClientSaid:
    lines = [line.split("\t") for line in done.stdout.splitlines() if line.count("\t") == 2]
    if not lines:
        return ClientSaid("", shortened(done.stderr), done.returncode)
    status, text, error = lines[-1]
    plain = base64.b64decode(text).decode(errors="replace")
    return ClientSaid(status_of(plain, int(status)), shortened(base64.b64decode(error).decode()), done.returncode)


def _scripted(
    name: str, words: Sequence[str], version: Sequence[str], cannot: Callable[[Sequence[Wanted]], str], *check: str
) -> RealClient:
    return RealClient(name, (words[0],), tuple(version), partial(_program, words), by_lines, cannot, check)


NODE, GO = str(PROGRAMS / "node_client.mjs"), str(PROGRAMS / "go_client.go")
DRIVERS = (
    *python(sys.executable),
    _scripted("Node https", ("node", NODE, "https"), ("node", "--version"), _no_chunks),
    _scripted(
        "Node undici",
        ("node", NODE, "undici"),
        ("node", "--version"),
        no_bodies_in_chunks,
        *("node", "-e", "require.resolve('undici')"),
    ),
    _scripted("Go", ("go", "run", GO, "default"), ("go", "version"), _no_chunks),
    _scripted("Go RenegotiateOnceAsClient", ("go", "run", GO, "once"), ("go", "version"), _no_chunks),
    *(
        RealClient(
            f"Java {way}",
            ("java",),
            ("java", "--version"),
            partial(_java, way),
            _java_says,
            _no_chunks if way == "HttpClient" else no_bodies_in_chunks,
        )
        for way in ("HttpClient", "HttpsURLConnection")
    ),
    _scripted("Ruby Net::HTTP", ("ruby", str(PROGRAMS / "ruby_client.rb")), ("ruby", "--version"), _no_chunks),
    _scripted(
        "PHP streams",
        ("php", str(PROGRAMS / "php_client.php")),
        ("php", "--version"),
        one_connection_each,
        *("php", "-r", "exit(extension_loaded('openssl') ? 0 : 1);"),
    ),
    _scripted(
        "Perl LWP",
        ("perl", str(PROGRAMS / "perl_client.pl")),
        ("perl", "--version"),
        no_bodies_in_chunks,
        *("perl", "-MLWP::UserAgent", "-MLWP::Protocol::https", "-e", "1"),
    ),
)
