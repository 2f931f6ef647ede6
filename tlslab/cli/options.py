"""What was said on the command line of `serve`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tlslab.knobs import format_bytes, parse_bytes


def between(low: float, high: float) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Make the check of an option that takes numbers from `low` to `high`, and not nan."""

    def check(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
        if value is not None and not low <= value <= high:
            raise click.BadParameter(f"{value:g} is not from {low:g} to {high:g}")
        return value

    return check


def a_size(smallest: int) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Make the check of an option that takes a size such as 10MiB, of at least `smallest` bytes."""

    def check(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
        try:
            size = None if value is None else parse_bytes(value)
        except ValueError as error:
            raise click.BadParameter(f"{value!r}: {error}") from None
        if size is not None and size < smallest:
            raise click.BadParameter(f"{value} is less than {format_bytes(smallest)}")
        return size

    return check


def undone_by(setting: str, paths: Collection[str]) -> bool:
    """Whether `PATH=VALUE` sets one of these paths, or something in it or around it: --set is laid over fixes."""
    path = setting.partition("=")[0].strip()
    return any(path == other or path.startswith(f"{other}.") or other.startswith(f"{path}.") for other in paths)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `serve`, by their names there."""

    scenario: str
    fixes: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    speed: float = 1.0
    host: str | None = None
    sans: tuple[str, ...] = ()
    port: int | None = None
    events: str | None = None
    pcapng: str | None = None
    pcapng_limit: int | None = None
    keylog: str | None = None
    logs: Path | None = None
    ready_file: Path | None = None
    ahead: float = 0.0
    verbose: bool = False

    def again(self, fix: str, turns: Collection[str], ports: set[int]) -> list[str]:
        """The words after `tlslab` that serve the same with one fix, where it is served now on `ports`.

        `turns` are the paths that the fix sets: what --set says of them would undo it, and is left out.
        """
        words = ["serve", "--scenario", self.scenario, "--fix", fix]
        for setting in self.settings:
            if not undone_by(setting, turns):
                words += ["--set", setting]
        if self.speed != 1:
            words += ["--speed", f"{self.speed:g}"]
        if self.host is not None:
            words += ["--host", self.host]
        for san in self.sans:
            words += ["--san", san]
        if self.port is not None:
            # The system chose for --port 0; only a single port can be asked for again.
            words += ["--port", str(next(iter(ports)) if len(ports) == 1 else self.port)]
        return words
