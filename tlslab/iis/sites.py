"""Which of IIS's paths a request is for."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote


def origin_form(target: str) -> str:
    """Path and query of a request target, which may be a whole URL as a proxy's client sends it."""
    if target.startswith(("http://", "https://")):
        return "/" + target.partition("://")[2].partition("/")[2]
    return target


def path_of(target: str) -> str:
    """The decoded path of a request target: `/upload/a?b`."""
    return unquote(origin_form(target).partition("?")[0]) or "/"


def match_path(target: str, paths: Iterable[str]) -> str | None:
    """The longest of `paths` that `target` lies in; settings of a path hold for what is below it. None for no path."""
    path = path_of(target)
    within = [candidate for candidate in paths if path == candidate or path.startswith(candidate.rstrip("/") + "/")]
    return max(within, key=len, default=None)
