"""What somebody wants of a lab."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlslab.scenario.overlay import parse_set

SLOWEST, FASTEST = 0.01, 10_000  # how many times as fast as the wall's a lab's clock may run


def undone_by(setting: str, paths: Collection[str]) -> bool:
    """Whether `PATH=VALUE` sets one of these paths, or something in it or around it: --set is laid over fixes."""
    path = setting.partition("=")[0].strip()
    return any(path == other or path.startswith(f"{other}.") or other.startswith(f"{path}.") for other in paths)


def as_yaml(value: object) -> str:
    """Write a value as --set reads it: a text as it is, where it stays one."""
    plain = isinstance(value, str) and not value.startswith("[") and parse_set(f"a={value}")[1] == value
    return str(value) if plain else json.dumps(value)


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
    ready_file: str | None = None
    ahead: float = 0.0
    verbose: bool = False
    profile: str | None = None

    @property
    def streams(self) -> tuple[str | None, ...]:
        """What may be standard output: events and the sign that it is ready go there together, the capture alone."""
        return self.events, self.pcapng, self.ready_file

    def again(self, fix: str, turns: Collection[str], ports: set[int]) -> list[str]:
        """The words after `tlslab` that serve the same with one fix, where it is served now on `ports`.

        `turns` are the paths that the fix sets: what --set says of them would undo it, and is left out.
        """
        return self._served_again(["--fix", fix], turns, ports)

    def changed(self, settings: Mapping[str, Any], ports: set[int]) -> list[str]:
        """The same with these settings: plain data by path."""
        words = [word for path, value in settings.items() for word in ("--set", f"{path}={as_yaml(value)}")]
        return self._served_again(words, settings, ports)

    def _served_again(self, words: Sequence[str], turns: Collection[str], ports: set[int]) -> list[str]:
        words = ["serve", "--scenario", self.scenario, *words]
        for setting in self.settings:
            if not undone_by(setting, turns):
                words += ["--set", setting]
        if self.profile is not None:
            words += ["--profile", self.profile]
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
