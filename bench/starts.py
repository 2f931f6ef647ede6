"""Measures how long commands take to start, beside what the imports cost that they cannot do without."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import median

from bench import process
from bench.servers import ROOT, Files, started

SERVE = "serve"  # until it is ready
FIRST_SERVE = "serve, the first time"  # it makes keys and certificates on the way
COMMANDS = {"--help": ["--help"], "list": ["list"]}  # until they end

# What each needs of packages, and of standard modules that are no part of an empty Python; and one model, because
# pydantic imports most of itself when the first is made.
CLICK = "import click\n"
SHOWING = "import json, textwrap\nfrom rich.console import Console\nfrom rich.text import Text\n"
READING = "import contextlib, dataclasses, difflib, enum, pathlib, re, yaml\n"
CHECKING = """
import copy, html, ipaddress
from typing import Annotated, Any, Literal
from pydantic import (AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, PlainSerializer,
                      StrictBool, Tag, ValidationError, WithJsonSchema, model_validator)
from pydantic.fields import FieldInfo
class Model(BaseModel):
    number: int
"""
SERVING = """
import hashlib, platformdirs, secrets, select, shutil, signal, socket, tempfile, threading
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from OpenSSL import SSL, crypto
import h11, trio
"""
FLOORS = {
    "--help": CLICK,
    "list": CLICK + SHOWING + READING,
    SERVE: CLICK + SHOWING + READING + CHECKING + SERVING + "import os; os._exit(0)",  # as `serve`, not taken apart
}
FLOORS[FIRST_SERVE] = FLOORS[SERVE]


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds: elapsed and of CPU, and of CPU for a Python that imports only what is needed; `needs` is times that.

    The middle of some, and of their own ratios.
    """

    elapsed: float
    cpu: float
    floor: float
    needs: float


def starts(files: Files, times: int) -> dict[str, Start]:
    """Start every command and its floor in turn, once more than told: the first fills the caches."""
    runs: dict[str, list[tuple[float, float, float, float]]] = {what: [] for what in FLOORS}
    for _ in range(times + 1):
        for what in FLOORS:
            elapsed, cpu = _command(COMMANDS[what], files) if what in COMMANDS else _serve(files, what == FIRST_SERVE)
            floor = _imports(FLOORS[what])
            runs[what].append((elapsed, cpu, floor, cpu / floor))
    return {what: Start(*map(median, zip(*some[1:], strict=True))) for what, some in runs.items()}


def _command(words: list[str], files: Files) -> tuple[float, float]:
    """Elapsed and CPU seconds of a command, from its start to its end."""
    before, begun = process.ended_seconds(), time.monotonic()
    environment = {**os.environ, "TLSLAB_HOME": str(files.folder / "home")}
    line = [sys.executable, "-m", "tlslab", *words]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, cwd=ROOT, env=environment)
    return time.monotonic() - begun, process.ended_seconds() - before


def _serve(files: Files, first: bool) -> tuple[float, float]:
    """Elapsed and CPU seconds of the lab until it is ready."""
    home = files.folder / "fresh-home"
    shutil.rmtree(home, ignore_errors=True)
    with started("tlslab", files, {"TLSLAB_HOME": str(home)} if first else {}) as server:
        return server.ready_after, server.cpu_seconds()


def _imports(code: str) -> float:
    """CPU seconds of a Python that imports this and ends."""
    before = process.ended_seconds()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    return process.ended_seconds() - before
