"""What somebody wants of a lab."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


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
