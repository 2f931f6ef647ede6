"""Who may import whom. The table is the design; the walk below holds every file of tlslab to it.

A name in a row covers what lies under it: `tls` allows `tlslab.tls.server`, `tls.context` only that module. Imports
for type checking count, and the standard library is free but for `WORLD`: clocks, random sources, files, sockets and
processes.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
ANYTHING = "anything"

# room: (third party, tlslab)
TABLE = {
    "__init__": ("", "testing"),
    "types": ("", ""),
    "errors": ("", ""),
    "text": ("", ""),
    "tables": ("", "errors"),
    "tap": ("", "text"),
    "events": ("", "types"),
    "recorder": ("", "events"),
    "knobs": ("pydantic", ""),
    "wire": ("", "types errors"),
    "symptoms": ("", ""),
    "schannel": ("pydantic", "events knobs"),
    "httpsys": ("h11 pydantic", "types tables events recorder errors knobs text"),
    "iis": ("", "types events text"),
    "pki": ("cryptography", "types errors"),
    "tls": ("OpenSSL cryptography", "wire types events recorder errors"),
    "core": ("pydantic", "tls wire httpsys iis schannel types tables events recorder errors knobs tap text"),
    "scenario": ("pydantic yaml", "core schannel httpsys iis pki tls.context events errors knobs text"),
    "words": ("", "schannel events types text"),
    "capture": ("", "words iis httpsys schannel types events errors tap text"),
    "trace": ("", "wire errors text"),
    "net": ("trio", "core types events errors tap"),
    "lab": (
        "trio platformdirs pydantic",
        "scenario capture net core pki tls.context httpsys iis words types events errors tap text",
    ),
    "client": ("h11 trio cryptography", "scenario net pki tls errors text"),
    "verify": ("trio", "lab.home client scenario net core pki tls types events tap text"),
    "control": ("starlette hypercorn trio pydantic", "lab scenario net events errors text"),
    "sweep": ("trio matplotlib", "client scenario net core pki events errors text"),
    "matrix": ("", "lab verify.trials scenario pki text"),
    "probe": ("h11 trio cryptography", "tls wire schannel.cipher_suites pki net errors text"),
    "testing": (
        "trio pytest",
        "lab scenario net pki words events errors",
    ),
    "__main__": ("", "cli"),
    "cli": ("click rich", ANYTHING),
}
CLOCKS = {"sched", "time", "datetime.now", "datetime.utcnow", "date.today"}
RANDOM = {"random", "secrets", "uuid"}
FILES = {"fileinput", "glob", "mmap", "open", "os", "pathlib", "shutil", "tempfile"}
SOCKETS = {"asyncio", "select", "selectors", "socket", "socketserver", "urllib.request"}
PROCESSES = {"multiprocessing", "signal", "subprocess", "threading"}
WORLD = CLOCKS | RANDOM | FILES | SOCKETS | PROCESSES
WORLDLY = {"net", "pki", "client", "capture", "trace", "lab", "control", "matrix", "testing", "cli"}
EXCUSED = {
    "scenario": {"pathlib"},  # the loader reads the file it is given
    "tls": {"threading.local"},  # a buffer for each thread that whoever runs labs may have; it starts none
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


@cache
def _uses(path: str) -> frozenset[str]:
    """Every dotted name that a file uses."""
    return frozenset(name for node in ast.walk(_tree(path)) for name in _used(node, path))


def _tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("room", TABLE)
def test_a_row_allows_nothing_that_is_not_used(room: str) -> None:
    """A permission that nobody uses is an arrow that is not there: it goes, until somebody needs it."""
    used = {name.removeprefix("tlslab.") for path in MODULES if _room(path) == room for name in _uses(path)}
    third_party, own = TABLE[room]
    allowed = (*third_party.split(), *own.replace(ANYTHING, "").split())
    assert [name for name in allowed if not any(_within(one, {name}) for one in used)] == []


def test_only_the_program_imports_the_command_line() -> None:
    """`cli` is on top: what another room needs of it belongs below."""
    importers = {path for path in MODULES for name in _uses(path) if _within(name, {"tlslab.cli"})}
    assert {path for path in importers if _room(path) != "cli"} == {"tlslab/__main__.py"}


# --- sizes ----------------------------------------------------------------------------------------------------

MOST_LINES_OF_A_FILE, MOST_LINES_OF_A_FUNCTION = 400, 40
SOURCES = [
    path.relative_to(ROOT).as_posix()
    for folder in ("tlslab", "tests", "bench", "deploy", "docs")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


@pytest.mark.parametrize("path", SOURCES)
def test_nothing_is_too_long_to_be_read(path: str) -> None:
    """What does not fit is more than one thing, and is split by concept."""
    source = (ROOT / path).read_text(encoding="utf-8")
    assert source.count("\n") <= MOST_LINES_OF_A_FILE
    functions = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    lines = [(node.name, (node.end_lineno or 0) - node.lineno + 1) for node in functions]
    assert [(name, count) for name, count in lines if count > MOST_LINES_OF_A_FUNCTION] == []


# --- names ----------------------------------------------------------------------------------------------------


def _defined(path: str) -> Iterator[str]:
    """Yield the public classes and type aliases of a file."""
    for node in _tree(path).body:
        match node:
            case ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                if name[0].isupper() and not name.isupper():
                    yield name


def test_a_name_means_one_thing() -> None:
    """No two modules define a class or type of the same name: each has the name of what it is there."""
    owners: dict[str, list[str]] = {}
    for path in MODULES:
        for name in _defined(path):
            owners.setdefault(name, []).append(path)
    assert {name: paths for name, paths in owners.items() if len(paths) > 1} == {}


# --- the tests ------------------------------------------------------------------------------------------------

# What a folder of tests may use beside its room and what the room may use, and why.
ALSO = {
    "capture": "client core pki recorder scenario verify",  # the logs of whole scenarios, walked in memory
    "core": "lab words",  # what is said of a peer's strange certificate, and written of it
    "client": "core events",  # its peer is a lab on a socket
    "net": "httpsys pki scenario text",  # listens with the certificates and bindings of a real plan
    "probe": "client core events scenario tap verify",  # its peer is a lab, joined in memory or on a socket
    "scenario": "client verify",  # every promise of the catalogue is a trial, which the lab's own client walks
    "symptoms": "scenario.catalogue",  # what people paste is scored against the shipped symptoms
    "verify": "errors pki schannel",  # the certificates of a home; every scenario on every Windows, or refused
    "lab": "client verify",  # what came of whole conversations, walked in memory
    "testing": "open_lab tlslab_fixes types",  # by the names that its users import
    "tls": "pki schannel",  # certificates to shake hands with, and the suites of Windows
}
TESTS = [
    path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "tests").rglob("*.py")) if path.parent.name != "tests"
]


@pytest.mark.parametrize("folder", sorted({path.split("/")[1] for path in TESTS} - {"clients", "oracle"}))
def test_a_folder_of_tests_keeps_to_its_room(folder: str) -> None:
    """Folders of tests mirror the rooms, and use what their room may use; `clients` and `oracle` drive programs."""
    assert folder in TABLE
    own = TABLE[folder][1]
    if own == ANYTHING:
        return
    allowed = {folder, *own.split(), *ALSO.get(folder, "").split()}
    own_tests = [path for path in TESTS if path.split("/")[1] == folder]
    names = {name.removeprefix("tlslab.") for path in own_tests for name in _uses(path) if name.startswith("tlslab.")}
    assert {name for name in names if not _within(name, allowed)} == set()


# --- the walk itself ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "source", "fault"),
    [
        (
            "tlslab/wire/a.py",
            "import h11",
            "tlslab/wire/a.py:1: imports h11; the row of `wire` allows of third parties",
        ),
        ("tlslab/httpsys/a.py", "\nfrom tlslab.tls import server", "tlslab/httpsys/a.py:2: imports tlslab.tls.server"),
        ("tlslab/httpsys/a.py", "from tlslab import tls", "allows of tlslab: types tables events recorder"),
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
        ("tlslab/scenario/a.py", "from pathlib import Path"),
        ("tlslab/tls/_openssl.py", "from OpenSSL._util import ffi, lib\nx = connection._ssl"),
        ("tlslab/cli/a.py", "import os, rich\nfrom tlslab.net import pump"),
    ],
)
def test_what_the_table_allows_passes(path: str, source: str) -> None:
    """Its own room, what the row names, the free standard library and the excused uses are no fault."""
    assert faults(source, path) == []
