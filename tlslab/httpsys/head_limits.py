"""How long the head of a request may be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_REQUEST_BYTES = 16384  # http.sys MaxRequestBytes, the request line and headers together (KB820129)
MAX_FIELD_LENGTH = 16384  # http.sys MaxFieldLength, one header (KB820129)
FIELD_OVERHEAD = len(b": ")  # chosen: a header is counted as it usually stands on the wire, without the line's end


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """How long the head of a request may be: one header of it, and all of it, in bytes."""

    field_length: int = MAX_FIELD_LENGTH
    request_bytes: int = MAX_REQUEST_BYTES

    def longest_field(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
        """The name of a header that is longer than one may be, None where all fit.

        Where MaxRequestBytes is the lower of the two, the other is adjusted to it (KB820129).
        """
        most = min(self.field_length, self.request_bytes)
        return next((name for name, value in headers if len(name) + len(value) + FIELD_OVERHEAD > most), None)
