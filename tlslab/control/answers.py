"""What the API answers: JSON, and errors that say what to try."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from tlslab.errors import LabError


class Refused(Exception):
    """A request that cannot be granted: its status, what is wrong, and what to try."""

    def __init__(self, status: int, error: str, hint: str = "") -> None:
        super().__init__(error)
        self.status, self.hint = status, hint

    @classmethod
    def by(cls, error: LabError, status: int = 422) -> Refused:
        """For what the lab itself says."""
        return cls(status, str(error), error.hint)


def problem(status: int, error: str, hint: str = "", headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer to it."""
    return JSONResponse({"error": error, "hint": hint}, status, headers)
