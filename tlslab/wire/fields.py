"""Reading fields of fixed and announced length, the way every TLS structure is written (RFC 8446, section 3)."""

from __future__ import annotations

from tlslab.errors import WireError


class Cursor:
    """Walks over a peer's bytes from the front; whatever does not fit is a WireError that names the structure."""

    __slots__ = ("_at", "_data", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    @property
    def at_end(self) -> bool:
        """Whether every byte has been read."""
        return self._at >= len(self._data)

    def take(self, count: int) -> bytes:
        """Read exactly `count` bytes."""
        end = self._at + count
        if end > len(self._data):
            raise WireError(f"{self._what} is cut short")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def uint(self, size: int) -> int:
        """Read an unsigned number of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def vector(self, length_size: int, at_least: int = 0) -> bytes:
        """Read a length of `length_size` bytes, then that many bytes, of which `at_least` must be there."""
        content = self.take(self.uint(length_size))
        if len(content) < at_least:
            raise WireError(f"{self._what} has a field of {len(content)} bytes, at least {at_least} belong there")
        return content

    def finish(self) -> None:
        """Nothing may follow: WireError if something does."""
        if not self.at_end:
            raise WireError(f"{self._what} is followed by {len(self._data) - self._at} bytes too many")


def whole_vector_untrusted(data: bytes, length_size: int, what: str, at_least: int = 0) -> bytes:
    """Return the content of a vector that must fill `data` exactly; WireError if it does not."""
    cursor = Cursor(data, what)
    content = cursor.vector(length_size, at_least)
    cursor.finish()
    return content


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
    return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))


def extensions_untrusted(data: bytes, what: str) -> dict[int, bytes]:
    """Return the content of every extension by its number; WireError also where one comes twice (RFC 8446, 4.2)."""
    cursor = Cursor(data, what)
    found: dict[int, bytes] = {}
    while not cursor.at_end:
        number = cursor.uint(2)
        if number in found:
            raise WireError(f"{what} has extension {number} twice")
        found[number] = cursor.vector(2)
    return found
