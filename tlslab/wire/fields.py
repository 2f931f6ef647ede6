"""Reading fields of fixed and announced length, the way every TLS structure is written (RFC 8446, section 3)."""

from __future__ import annotations

import struct
from typing import Any

from tlslab.errors import WireError

_EXTENSION = struct.Struct("!HH")  # its number and its length


class Cursor:
    """Walks over a peer's bytes from the front; whatever does not fit is a WireError that names the structure."""

    __slots__ = ("_at", "_data", "_end", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._end = len(data)
        self._what = what

    @property
    def at_end(self) -> bool:
        """Whether every byte has been read."""
        return self._at >= self._end

    def take(self, count: int) -> bytes:
        """Read exactly `count` bytes."""
        start, end = self._at, self._at + count
        if end > self._end:
            raise WireError(f"{self._what} is cut short")
        self._at = end
        return self._data[start:end]

    def fixed(self, fields: struct.Struct) -> tuple[Any, ...]:
        """Read several fields of fixed length at once."""
        start, end = self._at, self._at + fields.size
        if end > self._end:
            raise WireError(f"{self._what} is cut short")
        self._at = end
        return fields.unpack_from(self._data, start)

    def rest(self) -> bytes:
        """Read all that is left."""
        return self.take(self._end - self._at)

    def uint(self, size: int) -> int:
        """Read an unsigned number of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def vector(self, length_size: int, at_least: int = 0) -> bytes:
        """Read a length of `length_size` bytes, then that many bytes, of which `at_least` must be there."""
        start = self._at + length_size  # not by `take` and `uint`: hellos are made of these
        length = int.from_bytes(self._data[self._at : start], "big")
        end = start + length
        if end > self._end:  # also where the length itself is
            raise WireError(f"{self._what} is cut short")
        if length < at_least:
            raise WireError(f"{self._what} has a field of {length} bytes, at least {at_least} belong there")
        self._at = end
        return self._data[start:end]

    def finish(self) -> None:
        """Nothing may follow: WireError if something does."""
        if self._at < self._end:
            raise WireError(f"{self._what} is followed by {self._end - self._at} bytes too many")


def whole_vector_untrusted(data: bytes, length_size: int, what: str, at_least: int = 0) -> bytes:
    """Return the content of a vector that must fill `data` exactly; WireError if it does not."""
    length = int.from_bytes(data[:length_size], "big")
    too_many = len(data) - length_size - length
    if too_many < 0:
        raise WireError(f"{what} is cut short")
    if length < at_least:
        raise WireError(f"{what} has a field of {length} bytes, at least {at_least} belong there")
    if too_many:
        raise WireError(f"{what} is followed by {too_many} bytes too many")
    return data[length_size:]


def vectors_untrusted(data: bytes, length_size: int, what: str) -> tuple[bytes, ...]:
    """Split `data` into vectors of at least one byte each; WireError if they do not fill it exactly."""
    cursor = Cursor(data, what)
    found = []
    while not cursor.at_end:
        found.append(cursor.vector(length_size, at_least=1))
    return tuple(found)


def uint16s_untrusted(data: bytes, what: str) -> tuple[int, ...]:
    """Split `data` into numbers of two bytes; WireError if one byte is left."""
    if len(data) % 2:
        raise WireError(f"{what} has an odd number of bytes")
    return struct.unpack(f"!{len(data) // 2}H", data)


def extensions_untrusted(data: bytes, what: str, found: dict[int, bytes]) -> None:
    """Put the content of every extension into `found`, by its number.

    WireError where one is cut short or comes twice (RFC 8446, 4.2); what stood in front of it is found then.
    """
    at, end = 0, len(data)
    while at + _EXTENSION.size <= end:  # by hand: a hello has a dozen of them, and a cursor costs twice as much
        number, length = _EXTENSION.unpack_from(data, at)
        if number in found:
            raise WireError(f"{what} has extension {number} twice")
        start, at = at + _EXTENSION.size, at + _EXTENSION.size + length
        if at > end:
            break
        found[number] = data[start:at]
    if at != end:
        raise WireError(f"{what} is cut short")
