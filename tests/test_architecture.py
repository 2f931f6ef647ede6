"""Who may import whom. The table is the design; the walk below holds every file of tlslab to it.

A name in a row covers what lies under it: `tls` allows `tlslab.tls.server`, `tls.context` only that module. Imports
for type checking count, and the standard library is free but for `WORLD`: clocks, random sources, files, sockets and
processes.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
ANYTHING = "anything"

# room: (third party, tlslab)
TABLE = {
    "__init__": ("", ""),
    "types": ("", ""),
    "errors": ("", ""),
    "tap": ("", ""),
    "events": ("", "types"),
    "knobs": ("pydantic", "errors"),
    "wire": ("", "errors"),
    "schannel": ("pydantic", "types events errors knobs"),
    "httpsys": ("h11 pydantic", "types events errors knobs"),
    "iis": ("pydantic", "types events errors knobs"),
    "pki": ("cryptography", "types errors"),
    "tls": ("OpenSSL cryptography", "wire types events errors"),
    "core": ("", "tls wire httpsys iis schannel types events errors knobs"),
    "scenario": ("pydantic yaml", "core schannel httpsys iis pki tls.context types events errors knobs"),
    "capture": ("", "wire iis httpsys schannel types events errors tap"),
    "trace": ("", "wire errors"),
    "net": ("trio", "core types events errors tap"),
    "run": ("h11 trio", "scenario net core pki tls schannel wire types events errors knobs tap"),
    "__main__": ("", "cli"),
    "cli": ("click rich platformdirs", ANYTHING),
}
CLOCKS = {"sched", "time", "datetime.now", "datetime.utcnow", "date.today"}
RANDOM = {"random", "secrets", "uuid"}
FILES = {"fileinput", "glob", "mmap", "open", "os", "pathlib", "shutil", "tempfile"}
SOCKETS = {"asyncio", "select", "selectors", "socket", "socketserver", "urllib.request"}
PROCESSES = {"multiprocessing", "signal", "subprocess", "threading"}
WORLD = CLOCKS | RANDOM | FILES | SOCKETS | PROCESSES
WORLDLY = {"net", "pki", "run", "capture", "trace", "cli"}
EXCUSED = {
    "scenario": {"pathlib"},  # the loader reads the file it is given
    "tls": {"socket.MSG_PEEK"},  # a number that pyOpenSSL's recv takes; no socket comes with it
}
POSIX = {"curses", "fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
PRIVATE = {"_ffi", "_lib", "_ssl", "_util"}  # pyOpenSSL's ways into the bindings
PRIVATE_HOME = "tlslab/tls/_openssl.py"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def faults(source: str, path: str) -> list[str]:
    """Return `file:line: what, and what is allowed` for each breach in the source of `path` (tlslab/room/module.py)."""
    tree = ast.parse(source)
    late = {id(node) for function in ast.walk(tree) if isinstance(function, FUNCTIONS) for node in ast.walk(function)}
    found = [
        (node.lineno, fault)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt | ast.expr)
        for name in _used(node, path)
        if (fault := _fault(name, path, at_load=id(node) not in late))
    ]
    return [f"{path}:{line}: {fault}" for line, fault in sorted(found)]


def _room(path: str) -> str:
    return PurePosixPath(path).parts[1].removesuffix(".py")


def _used(node: ast.AST, path: str) -> Iterator[str]:
    """Yield the dotted names that a node imports, and the few that it reaches without an import."""
    match node:
        case ast.Import():
            yield from (alias.name for alias in node.names)
        case ast.ImportFrom():
            package = list(PurePosixPath(path).parts[:-1])
            base = package[: len(package) - node.level + 1] if node.level else []
            yield from (".".join([*base, *filter(None, [node.module]), alias.name]) for alias in node.names)
        case ast.Call(func=ast.Name(id="open")):
            yield "open"
        case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=name):
            if f"{owner}.{name}" in WORLD:
                yield f"{owner}.{name}"
            elif name in PRIVATE and owner != "self":
                yield f"OpenSSL.{name}"


def _fault(name: str, path: str, *, at_load: bool) -> str:
    """Return what is wrong with using `name` in `path`, or an empty string."""
    room, top = _room(path), name.split(".")[0]
    if room not in TABLE:
        return f"the room `{room}` has no row in TABLE"
    third_party, own = TABLE[room]
    if top == "tlslab":
        allowed = own == ANYTHING or _within(name.removeprefix("tlslab."), {room, *own.split()})
        return "" if allowed else f"imports {name}; the row of `{room}` allows of tlslab: {own or 'nothing'}"
    if top in POSIX and at_load:
        return f"imports {name} when loaded; Windows has no {top}: import it inside the function that needs it"
    if _within(name, WORLD) and room not in WORLDLY and not _within(name, EXCUSED.get(room, set())):
        return (
            f"uses {name}; clocks, random sources, files, sockets and processes belong to: {' '.join(sorted(WORLDLY))}"
        )
    if top in sys.stdlib_module_names or name in WORLD:
        return ""
    if top not in third_party.split():
        return f"imports {name}; the row of `{room}` allows of third parties: {third_party or 'nothing'}"
    if any(part.startswith("_") for part in name.split(".")) and path != PRIVATE_HOME:
        return f"uses the private {name}; private bindings are touched in {PRIVATE_HOME} alone"
    return ""


def _within(name: str, allowed: set[str]) -> bool:
    return any(name == one or name.startswith(one + ".") for one in allowed)


MODULES = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "tlslab").rglob("*.py"))]


@pytest.mark.parametrize("path", MODULES)
def test_a_module_imports_only_what_its_row_allows(path: str) -> None:
    """Every file of tlslab keeps to the row of its room."""
    found = faults((ROOT / path).read_text(encoding="utf-8"), path)
    assert not found, "\n".join(["", *found])


def test_every_room_has_a_row() -> None:
    """A new room says what it may import before it holds code."""
    assert {_room(path) for path in MODULES} <= TABLE.keys()


def test_rows_name_rooms() -> None:
    """A row allows only rooms that have a row themselves, so that a misspelt one is noticed."""
    named = {name.split(".")[0] for _, own in TABLE.values() if own != ANYTHING for name in own.split()}
    assert named <= TABLE.keys()


@pytest.mark.parametrize(
    ("path", "source", "fault"),
    [
        (
            "tlslab/wire/a.py",
            "import h11",
            "tlslab/wire/a.py:1: imports h11; the row of `wire` allows of third parties",
        ),
        ("tlslab/httpsys/a.py", "\nfrom tlslab.tls import server", "tlslab/httpsys/a.py:2: imports tlslab.tls.server"),
        ("tlslab/httpsys/a.py", "from tlslab import tls", "allows of tlslab: types events errors knobs"),
        ("tlslab/httpsys/a.py", "from ..tls.server import TlsServer", "imports tlslab.tls.server.TlsServer"),
        ("tlslab/types.py", "from . import events", "imports tlslab.events"),
        ("tlslab/wire/a.py", "import tlslab.wireless", "imports tlslab.wireless"),
        ("tlslab/scenario/a.py", "from tlslab.tls.server import TlsServer", "imports tlslab.tls.server.TlsServer"),
        ("tlslab/iis/a.py", "if TYPE_CHECKING:\n    import trio", "a.py:2: imports trio"),
        ("tlslab/iis/a.py", "def f():\n    from tlslab import core", "a.py:2: imports tlslab.core"),
        ("tlslab/core/a.py", "from time import monotonic", "uses time.monotonic; clocks"),
        ("tlslab/core/a.py", "import os.path", "uses os.path"),
        ("tlslab/scenario/a.py", "import socket", "uses socket"),
        ("tlslab/tls/a.py", "import socket", "uses socket"),
        ("tlslab/iis/a.py", "x = datetime.datetime.now(tz)", "uses datetime.now"),
        ("tlslab/iis/a.py", "x = open('page.html')", "uses open"),
        ("tlslab/net/a.py", "import fcntl", "imports fcntl when loaded; Windows has no fcntl"),
        ("tlslab/tls/a.py", "from OpenSSL import _util", "uses the private OpenSSL._util"),
        ("tlslab/tls/a.py", "from OpenSSL._util import lib", "touched in tlslab/tls/_openssl.py alone"),
        ("tlslab/tls/a.py", "SSL._lib.SSL_read(connection._ssl, b, 1)", "uses the private OpenSSL._lib"),
        ("tlslab/attic/a.py", "import json", "the room `attic` has no row"),
    ],
)
def test_a_breach_is_found(path: str, source: str, fault: str) -> None:
    """Each kind of breach is reported with file, line, what is used and what the row allows."""
    assert fault in "\n".join(faults(source, path))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("tlslab/wire/a.py", "import struct, enum\nfrom tlslab.errors import WireError\nfrom . import fields"),
        ("tlslab/httpsys/a.py", "import h11\nfrom tlslab import events, knobs\nfrom datetime import datetime"),
        ("tlslab/scenario/a.py", "import yaml\nfrom pathlib import Path\nfrom tlslab.tls.context import Profile"),
        ("tlslab/scenario/a.py", "from tlslab.tls import context"),
        ("tlslab/net/a.py", "import socket, time, trio\ndef f():\n    import fcntl"),
        ("tlslab/tls/a.py", "from OpenSSL import SSL\nclass C:\n    def f(self):\n        return self._ssl"),
        ("tlslab/tls/a.py", "from socket import MSG_PEEK"),
        ("tlslab/tls/_openssl.py", "from OpenSSL._util import ffi, lib\nx = connection._ssl"),
        ("tlslab/cli/a.py", "import os, rich\nfrom tlslab.net import pump"),
    ],
)
def test_what_the_table_allows_passes(path: str, source: str) -> None:
    """Its own room, what the row names, the free standard library and the excused uses are no fault."""
    assert faults(source, path) == []
