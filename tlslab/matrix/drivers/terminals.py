"""openssl s_client and gnutls-cli: a request is typed, and what comes back is shown."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tlslab.matrix.asks import Wanted
from tlslab.matrix.driver import Process, RealClient, by_text, no_bodies_in_chunks

OPEN_SECONDS = 7  # gnutls-cli leaves when its input ends: longer than what freezes for two minutes of a fast lab


def _typed(asks: Sequence[Wanted]) -> str:
    lines = []
    for number, one in enumerate(asks):
        place = urlsplit(one.url)
        fields = {"Host": place.netloc, "Accept": "application/json", **one.headers}
        if one.body or one.method in ("POST", "PUT"):
            fields["Content-Length"] = str(one.body)
        if number == len(asks) - 1:
            fields["Connection"] = "close"
        target = f"{place.path}?{place.query}" if place.query else place.path
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        lines.append(f"{one.method} {target} HTTP/1.1\r\n{head}\r\n" + "\0" * one.body)
    return "".join(lines)


def _cannot(asks: Sequence[Wanted]) -> str:
    if any(not one.same_connection for one in asks[1:]):
        return "it has one connection"
    if asks[-1].method == "HEAD":
        return "it shows no answer to HEAD"
    return no_bodies_in_chunks(asks)


def _openssl(asks: Sequence[Wanted], ca_file: str, _folder: Path) -> Process:
    place = urlsplit(asks[-1].url)
    words = ["openssl", "s_client", "-connect", place.netloc, "-servername", str(place.hostname), "-CAfile", ca_file]
    words += ["-quiet", "-nocommands", "-ign_eof", "-ignore_unexpected_eof", "-enable_pha"]
    words += ["-cert", asks[-1].cert, "-key", asks[-1].key] if asks[-1].cert else []
    return Process(words, _typed(asks))


def _gnutls(asks: Sequence[Wanted], ca_file: str, _folder: Path) -> Process:
    place = urlsplit(asks[-1].url)
    words = ["gnutls-cli", "--x509cafile", ca_file, "-p", str(place.port), "--post-handshake-auth"]
    words += ["--x509certfile", asks[-1].cert, "--x509keyfile", asks[-1].key] if asks[-1].cert else []
    line = shlex.join([*words, str(place.hostname)])
    return Process(["sh", "-c", f"(cat; sleep {OPEN_SECONDS}) | {line}"], _typed(asks))


DRIVERS = (
    RealClient("openssl s_client", ("openssl",), ("openssl", "version"), _openssl, by_text, _cannot),
    RealClient("gnutls-cli", ("gnutls-cli",), ("gnutls-cli", "--version"), _gnutls, by_text, _cannot),
)
