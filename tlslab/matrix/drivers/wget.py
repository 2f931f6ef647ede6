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
    words += [f"--method={one.method}"] if one.method != "GET" else []
    words += [f"--body-file={body_file(folder, one.body)}"] if one.body else []
    words += [f"--header={name}: {value}" for name, value in one.headers.items()]
    return Process([*words, one.url])


def _cannot(asks: Sequence[Wanted]) -> str:
    return one_connection_each(asks) or ("it shows no answer to HEAD" if asks[-1].method == "HEAD" else "")


def _driver(program: str) -> RealClient:
    return RealClient(program, (program,), (program, "--version"), partial(_command, program), by_text, _cannot)


DRIVERS = (_driver("wget"), _driver("wget2"))
