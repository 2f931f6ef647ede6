"""The rules of text, once: how what the lab knows is written for people and for files.

A leaf: imports nothing of tlslab. What a user writes as a size or a duration is read in `knobs`.
"""

from __future__ import annotations

import html
import json
import re

HostPort = tuple[str, int]
NOTHING = "-"  # a field of a log that has no value
# Unicode's other spaces (Zs): they take room and do nothing else, and French and Japanese are written with them.
SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
PICTURES = "\u2600-\u27bf\U0001f000-\U0001faff"
# The joiner that makes one picture of two: a woman and a computer are a programmer. Elsewhere it hides.
_JOINER = re.compile(f"(?<=[\ufe0f{PICTURES}])\u200d(?=[{PICTURES}])")


# --- text from outside ------------------------------------------------------------------------------------------


def escaped(text: str, *, keep: str = "") -> str:
    r"""Write what does not print as an escape, such as `\x1b` or `\u202e`; spaces and the characters of `keep` stay.

    So nothing from outside moves a cursor, colours a terminal, turns a line around, hides or begins a new one. A lone
    surrogate is escaped too, so any encoding that has the other characters can hold the result. A backslash stays.
    """
    if text.isprintable():
        return text
    stay = SPACES + keep
    return "\u200d".join(
        "".join(one if one.isprintable() or one in stay else one.encode("unicode_escape").decode() for one in part)
        for part in _JOINER.split(text)
    )


def json_text(value: object, *, indent: int | None = None) -> str:
    """Write JSON in ASCII that prints: DEL, which JSON's own rules let pass, is an escape as well."""
    return without_del(json.dumps(value, indent=indent))


def without_del(text: str) -> str:
    """Write DEL as an escape in JSON that has everything else as one."""
    return text.replace("\x7f", r"\u007f")


def log_field(text: str) -> str:
    """Write a field of a log whose fields a space parts: `+` for a space and for what does not print, `-` for nothing.

    TechNet cc728311 has the `+`.
    """
    if text.isprintable() and " " not in text:
        return text or NOTHING
    return "".join(one if one.isprintable() and one != " " else "+" for one in text)


def html_text(text: str) -> str:
    """Write text for HTML, between tags or in a quoted attribute; what does not print, as `escaped` does.

    A page is read with curl in a terminal, too, and a browser turns lines around as a terminal does.
    """
    return html.escape(escaped(text, keep="\n"))


def shortened(text: str, limit: int) -> str:
    """Give the first `limit` characters, and say how many there were if there were more."""
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text):,} characters)"


def cut(text: str, limit: int) -> str:
    """Give text of at most `limit` characters: of a longer one the beginning, with three dots in place of the rest."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def cut_bytes(text: str, limit_bytes: int) -> str:
    """Give as many whole characters as have room in so many bytes of UTF-8; a lone surrogate is a `?`."""
    return text.encode(errors="replace")[:limit_bytes].decode(errors="ignore")


# --- addresses --------------------------------------------------------------------------------------------------


def format_host_port(where: HostPort) -> str:
    """Write `192.0.2.1:443`, `localhost:443`, and an IPv6 address in brackets: `[2001:db8::1]:443`."""
    host, port = where
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def format_peer(where: HostPort) -> str:
    """Write an end of a connection as events name it: `192.0.2.1:443`, and without brackets `2001:db8::1:443`."""
    return f"{where[0]}:{where[1]}"


def parse_host_port(text: str) -> HostPort:
    """Read what `format_host_port` or `format_peer` wrote. ValueError: there is no port at its end."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


# --- statuses ---------------------------------------------------------------------------------------------------


def format_status(status: int, substatus: int) -> str:
    """Write a status with its substatus, if there is one: `403.7`, `200`."""
    return f"{status}.{substatus}" if substatus else str(status)


def format_full_status(status: int, substatus: int) -> str:
    """Write a status as IIS's own pages do, always with its substatus: `403.7`, `404.0`."""
    return f"{status}.{substatus}"


def short_status(full_status: str) -> str:
    """Turn a full status into the short one: `404.0` into `404`; `403.7` stays."""
    return full_status.removesuffix(".0")


# --- numbers ----------------------------------------------------------------------------------------------------


def plural(count: int, one: str, many: str = "") -> str:
    """Give the noun that goes with a count: `one`, or `many` (with an s, if it is not given)."""
    return one if count == 1 else many or f"{one}s"


def format_count(count: int, one: str, many: str = "") -> str:
    """Write a count and what is counted: `1 byte`, `1,048,576 bytes`."""
    return f"{count:,} {plural(count, one, many)}"


def format_times(count: int) -> str:
    """Write how often: `never`, `once`, `twice`, `3 times`."""
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count:,} times")


def format_bytes(count: int) -> str:
    """Write a count of bytes as it is written in a scenario: `40960` as `40 KiB`, `1000` as `1,000 bytes`."""
    for unit, size in (("MiB", 2**20), ("KiB", 2**10)):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return format_count(count, "byte")


def format_seconds(seconds: float) -> str:
    """Write seconds for a person: `120 s`, `1.5 s`, `40 ms`, and whole hours as `10 h`."""
    if seconds and seconds % 3600 == 0:
        return f"{seconds / 3600:,.0f} h"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.3f}".rstrip("0").rstrip(".") + " s"


def format_elapsed(seconds: float) -> str:
    """Write a measured duration, with as many digits as are worth reading: `12.3 ms`, `350 ms`, `5.0 s`, `1,234 s`."""
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 1000 else f"{seconds:,.0f} s"


def format_plain_seconds(seconds: float) -> str:
    """Write a duration in seconds alone, whatever its size, as Wireshark's columns have it: `120 s`, `0.0004 s`."""
    return f"{seconds:g} s"
