"""`open_lab`: a lab for as long as a `with` lasts."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import trio

from tlslab.errors import UsageProblem
from tlslab.lab.options import FASTEST, SLOWEST, Options
from tlslab.testing.lab import Lab

Returned = TypeVar("Returned")


class AsyncLab:
    """A `Lab` for tests on trio: what waits is awaited, everything else is the lab's own."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.wait_for = _in_a_thread(lab.wait_for)
        self.expect = _in_a_thread(lab.expect)
        self.change = _in_a_thread(lab.change)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lab, name)


class Opening:
    """What `open_lab` returns: enter it with `with` or, on trio, with `async with`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._lab: Lab | None = None

    def __enter__(self) -> Lab:
        self._lab = Lab(self._options)
        self._lab.start()
        return self._lab

    def __exit__(self, *_raised: object) -> None:
        assert self._lab is not None
        self._lab.stop()

    async def __aenter__(self) -> AsyncLab:
        return AsyncLab(await trio.to_thread.run_sync(self.__enter__))

    async def __aexit__(self, *_raised: object) -> None:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self.__exit__)


def open_lab(
    scenario: str | Path,
    *,
    fixes: Sequence[str] | str = (),
    settings: Mapping[str, object] | None = None,
    speed: float | None = None,
    pcapng: str | Path | None = None,
    events: str | Path | None = None,
    logs: str | Path | None = None,
) -> Opening:
    """Serve a scenario on free ports of loopback, as `tlslab serve` does, for as long as a `with` lasts.

    `with open_lab("large-post-deadlock", fixes=["negotiate-on-binding"]) as lab: ...`; in a test on trio
    `async with`. `settings` are knobs by path, `{"timers.ssl_renegotiation": "30s"}`. `speed` is how many times as fast
    the lab's clock runs, the scenario's own suggestion unless it is given. LabError says what cannot be had.
    """
    if speed is not None and not SLOWEST <= speed <= FASTEST:
        raise UsageProblem(f"speed={speed:g} is no speed of a lab", f"give {SLOWEST:g} to {FASTEST:,}")
    names = (fixes,) if isinstance(fixes, str) else tuple(fixes)
    words = tuple(f"{path}={json.dumps(value)}" for path, value in (settings or {}).items())
    return Opening(
        Options(
            str(scenario),
            names,
            words,
            speed=speed or _suggested(str(scenario)),
            port=0,
            pcapng=None if pcapng is None else str(pcapng),
            events=None if events is None else str(events),
            logs=None if logs is None else Path(logs),
        )
    )


def _suggested(scenario: str) -> float:
    from tlslab.scenario.load import load

    return load(scenario).scenario.suggested_speed or 1.0


def _in_a_thread(function: Callable[..., Returned]) -> Callable[..., Awaitable[Returned]]:
    async def call(*words: Any, **more: Any) -> Returned:
        return await trio.to_thread.run_sync(partial(function, *words, **more), abandon_on_cancel=True)

    return call
