"""nginx, HAProxy and Apache in front of the lab: the proxy is the lab's client, and a curl asks it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tlslab.matrix.asks import Wanted
from tlslab.matrix.driver import PROGRAMS, Process, RealClient, by_lines, job, no_bodies_in_chunks


def _command(kind: str, asks: Sequence[Wanted], ca_file: str, _folder: Path) -> Process:
    return Process([sys.executable, str(PROGRAMS / "in_front"), kind], job(asks, ca_file))


def _cannot(asks: Sequence[Wanted]) -> str:
    if len({one.cert for one in asks}) > 1:
        return "a proxy has one certificate for all"
    if any(":" in str(urlsplit(one.url).hostname) for one in asks):
        return "its configuration here is for names"
    return no_bodies_in_chunks(asks)


def _in_front(kind: str, program: str, version: str) -> RealClient:
    command = partial(_command, kind)
    return RealClient(f"{program} in front", (program, "curl"), (program, version), command, by_lines, _cannot)


DRIVERS = (
    _in_front("nginx", "nginx", "-v"),
    _in_front("haproxy", "haproxy", "-v"),
    _in_front("apache", "apache2", "-v"),
)
