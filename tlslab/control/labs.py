"""The labs that the API knows: those it started, and the one that `tlslab serve` was started with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count
from typing import Any

import trio

from tlslab.control.answers import Refused
from tlslab.control.models import LabWanted
from tlslab.errors import LabError
from tlslab.lab.options import Options, as_yaml
from tlslab.lab.steering import Chronicle, Steering
from tlslab.lab.threaded import ThreadedLab
from tlslab.net.bus import Bus
from tlslab.scenario import catalogue

MOST_LABS = 64  # chosen: each has its thread, its ports and its table of sessions


@dataclass
class ServedLab:
    """A lab by its id. `end` is None for the terminal's own."""

    id: str
    steering: Steering
    chronicle: Chronicle
    end: Callable[[], None] | None
    has_ended: bool = False
    _news: trio.Event = field(default_factory=trio.Event)

    def as_json(self) -> dict[str, Any]:
        """What the ready file says, and how it is set now."""
        steering = self.steering
        said = steering.running.as_json()
        return {
            "id": self.id,
            **said,
            "fixes": list(steering.fixes),
            "set": steering.settings,
            "connections": self.chronicle.connections_seen,
        }

    def news(self) -> trio.Event:
        """What is set when there is something new; ask for it before you look."""
        return self._news

    def wake(self) -> None:
        """There is something new."""
        self._news.set()
        self._news = trio.Event()


class Labs:
    """All of them. Its methods are called in the API's loop; what takes long is done in threads.

    `host` and `sans` are those of `tlslab serve`, and hold for all.
    """

    def __init__(self, host: str | None, sans: tuple[str, ...]) -> None:
        self._host, self._sans = host, sans
        self._labs: dict[str, ServedLab] = {}
        self._starting: set[str] = set()
        self._waker: Callable[[ServedLab], None] = ServedLab.wake

    def begin(self) -> None:
        """The loop that runs now is the API's: news of a lab's are told in it."""
        token = trio.lowlevel.current_trio_token()

        def wake(lab: ServedLab) -> None:
            try:
                token.run_sync_soon(lab.wake, idempotent=True)
            except trio.RunFinishedError:
                return  # the API has ended, and the lab has not yet

        self._waker = wake

    def adopt(self, name: str, steering: Steering, chronicle: Chronicle) -> None:
        """Take in the terminal's own lab."""
        self._add(ServedLab(name, steering, chronicle, None))

    def __iter__(self) -> Iterator[ServedLab]:
        return iter(list(self._labs.values()))

    def __len__(self) -> int:
        return len(self._labs)

    def lab(self, lab_id: str) -> ServedLab:
        """One of them. Refused, 404: there is none of that id."""
        if lab_id not in self._labs:
            raise Refused(404, f"there is no lab {lab_id}", f"there are: {', '.join(self._labs) or 'none'}")
        return self._labs[lab_id]

    async def start(self, wanted: LabWanted) -> ServedLab:
        """Start a lab. Refused: it cannot be had."""
        try:
            name = catalogue.find(wanted.scenario).stem
        except LabError as error:
            raise Refused.by(error, 404) from None
        lab_id = self._free_id(wanted.name, name)
        options = Options(
            wanted.scenario,
            tuple(wanted.fixes),
            tuple(f"{path}={as_yaml(value)}" for path, value in wanted.set.items()),
            wanted.speed,
            self._host,
            self._sans,
            wanted.port,
            profile=wanted.profile,
        )
        self._starting.add(lab_id)
        try:
            lab = await trio.to_thread.run_sync(partial(_started, options))
        except LabError as error:
            raise Refused.by(error) from None
        finally:
            self._starting.discard(lab_id)
        served = ServedLab(lab_id, lab.lab.steering, lab.chronicle, lab.lab.stop)
        self._add(served)
        return served

    async def end(self, lab_id: str) -> None:
        """End a lab. Refused: there is none, or it is the terminal's."""
        lab = self.lab(lab_id)
        if lab.end is None:
            raise Refused(409, f"{lab_id} was started in a terminal", "end it there, with Ctrl-C")
        del self._labs[lab_id]
        await trio.to_thread.run_sync(lab.end)
        lab.has_ended = True
        lab.wake()

    def end_all(self) -> None:
        """End those that the API started: from any thread, once its loop is over."""
        for lab in self:
            if lab.end is not None:
                lab.end()

    def _add(self, lab: ServedLab) -> None:
        self._labs[lab.id] = lab
        lab.chronicle.wake = lambda: self._waker(lab)

    def _free_id(self, name: str | None, stem: str) -> str:
        taken = {*self._labs, *self._starting}
        if len(taken) >= MOST_LABS:
            raise Refused(409, f"{MOST_LABS} labs run already", "end one with DELETE /labs/ID")
        if name is not None:
            if name in taken:
                raise Refused(409, f"there is a lab {name} already", "give this one another name")
            return name
        return next(name for name in chain([stem], (f"{stem}-{n}" for n in count(2))) if name not in taken)


@dataclass
class _Started:
    lab: ThreadedLab
    chronicle: Chronicle


def _started(options: Options) -> _Started:
    chronicles: list[Chronicle] = []

    def listen(bus: Bus) -> None:
        chronicles.append(Chronicle(bus))

    lab = ThreadedLab(options, listen)
    lab.start()
    return _Started(lab, chronicles[0])
