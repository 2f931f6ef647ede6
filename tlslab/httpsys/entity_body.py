"""The body of one request: counted and hashed as it passes.

http.sys keeps what it has read in memory; the lab keeps the count, which is what the documents speak of, so that
thousands of stalled uploads cost nothing here. What is not read stays unread for real.
"""

from __future__ import annotations

import hashlib

from tlslab.types import frozen_for_mypy

RECORD = 16384  # bytes, the most a TLS record holds
BULK = 16 * RECORD  # chosen: h11 takes about as long for a byte as for this much
_NOTHING = hashlib.sha256()  # most requests have no body, and need no hash of their own


@frozen_for_mypy
class BodyFacts:
    """What the answer tells of a body: its length in bytes and its SHA-256 in hex.

    Not `complete`: they are those of the part that was read, and the rest will not be.
    """

    length: int
    sha256: str
    complete: bool


class EntityBody:
    """How much of a body has been read. `announced` is its Content-Length, None where it is chunked."""

    __slots__ = ("_hash", "announced", "complete", "received")

    def __init__(self, announced: int | None) -> None:
        self.announced = announced
        self.received = 0
        self.complete = False
        self._hash = _NOTHING

    @property
    def piece(self) -> int:
        """Bytes to take at once where nothing may stop the reading: a record's, or more where more is to come."""
        left = self.announced - self.received if self.announced else 0
        return max(RECORD, min(left, BULK))

    def take(self, data: bytes | bytearray) -> None:
        """Read on by `data`."""
        if self._hash is _NOTHING:
            self._hash = hashlib.sha256()
        self.received += len(data)
        self._hash.update(data)

    def facts(self) -> BodyFacts:
        """Length and hash of what has been read."""
        return BodyFacts(self.received, self._hash.hexdigest(), self.complete)
