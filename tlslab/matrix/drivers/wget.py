"""wget, with GnuTLS in Debian, and wget2."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tlslab.matrix.asks import Wanted
from tlslab.matrix.driver import Process, RealClient, body_file, by_text, one_connection_each


def _command(program: str, asks: Sequence[Wanted], ca_file: str, folder: Path) -> Process:
    one = asks[-1]
    words = [program, "--no-config", "--no-proxy", "-nv", "-O", "-", "--content-on-error", "--tries=1"]
    words += ["--no-hsts", f"--ca-certificate={ca_file}", "--header=Accept: application/json"]
    words += [f"--certificate={one.cert}", f"--private-key={one.key}"] if one.cert else []
    if one.body:
        words += [f"--post-file={body_file(folder, one.body)}"]
    words += [f"--header={name}: {value}" for name, value in one.headers.items()]
    return Process([*words, one.url])


def _cannot(asks: Sequence[Wanted]) -> str:
    last = asks[-1]
    plain = last.method == "GET" or (last.method == "POST" and last.body)
    return one_connection_each(asks) or ("" if plain else f"wget2 has no way to send {last.method} so")


def _driver(program: str) -> RealClient:
    return RealClient(program, (program,), (program, "--version"), partial(_command, program), by_text, _cannot)


DRIVERS = (_driver("wget"), _driver("wget2"))
