"""curl."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tlslab.matrix.asks import Wanted
from tlslab.matrix.driver import ClientSaid, Process, RealClient, body_file, by_text


def _command(asks: Sequence[Wanted], ca_file: str, folder: Path) -> Process:
    words = ["curl", "-q"]
    for number, one in enumerate(asks):
        words += ["--next"] if number else []
        words += ["-sS", "--cacert", ca_file, "--noproxy", "*"]
        words += ["--cert", one.cert, "--key", one.key] if one.cert else []
        words += ["-I"] if one.method == "HEAD" else ["-X", one.method]
        words += [word for name, value in one.headers.items() for word in ("-H", f"{name}: {value}")]
        words += ["-H", "Transfer-Encoding: chunked"] if one.chunked else []
        if one.body:
            words += ["-H", "Expect: 100-continue" if one.expect_100 else "Expect:"]
            words += ["--data-binary", f"@{body_file(folder, one.body)}"]
        words += ["-H", "Connection: close"] if asks[number + 1 :] and not asks[number + 1].same_connection else []
        words.append(one.url)
    return Process(words)


def _says(done: subprocess.CompletedProcess[str]) -> ClientSaid:
    """Its own line, and not the advice behind it."""
    own = [line for line in done.stderr.splitlines() if line.startswith("curl: ")]
    done.stderr = own[-1] if own else done.stderr
    return by_text(done)


DRIVERS = (RealClient("curl", ("curl",), ("curl", "--version"), _command, _says, knows_localhost=True),)
