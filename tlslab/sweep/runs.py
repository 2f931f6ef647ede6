"""Runs the cells of a grid over real sockets: a lab for each setting, and its own client through a relay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import trio

from tlslab.client.identities import People
from tlslab.client.sockets import Target, targets_of, walk
from tlslab.core.machine import Machine
from tlslab.events import EntityBodyResumed, EntityBodyStalled
from tlslab.net.bus import Bus
from tlslab.net.server import Server, bind, close_all
from tlslab.pki.store import Pki
from tlslab.scenario.build import build
from tlslab.scenario.load import LoadedScenario
from tlslab.scenario.schema import Step
from tlslab.sweep.grid import SYMPTOM, Axes, Cell, Results, Setting, Tally, cells

SETTLE_SECONDS = 0.3  # how long an upload that stalls has to go on by itself: what waits for the wire takes less
LONGEST_SECONDS = 30.0  # of a run
AT_ONCE = 3  # labs; more would be slowed by one another

Told = Callable[[Cell, Tally], None]


def measure(loaded: LoadedScenario, pki: Pki, wanted: Sequence[Setting], axes: Axes, runs: int, told: Told) -> Results:
    """Run every cell so many times; `told` hears of each cell that is done. KeyboardInterrupt: what is done is kept."""
    results: Results = {}

    def note(cell: Cell, tally: Tally) -> None:
        results[cell] = tally
        told(cell, tally)

    try:
        trio.run(_all, loaded, pki, wanted, axes, runs, note)
    except (KeyboardInterrupt, BaseExceptionGroup) as error:
        if not isinstance(error, KeyboardInterrupt) and error.split(KeyboardInterrupt)[1] is not None:
            raise
    order = [cell for setting in wanted for cell in cells(setting, axes)]
    return {cell: results[cell] for cell in order if cell in results}


async def _all(loaded: LoadedScenario, pki: Pki, wanted: Sequence[Setting], axes: Axes, runs: int, note: Told) -> None:
    limit = trio.CapacityLimiter(AT_ONCE)
    async with trio.open_nursery() as nursery:
        for setting in wanted:
            nursery.start_soon(_serve, limit, loaded, pki, setting, list(cells(setting, axes)), runs, note)


async def _serve(
    limit: trio.CapacityLimiter,
    loaded: LoadedScenario,
    pki: Pki,
    setting: Setting,
    planned: Iterable[Cell],
    runs: int,
    note: Told,
) -> None:
    """Serve a setting, and take its cells one after the other: what happens meanwhile is theirs."""
    async with limit:
        fixes = () if setting.fix == SYMPTOM else (setting.fix,)
        overrides = {f"sites.{site.path}.application_delay": setting.delay for site in loaded.scenario.sites}
        plan = build(loaded, fixes, overrides, pki, port=0)
        bus = Bus()
        bound = bind(plan.listeners, receive_buffer=setting.buffer)
        try:
            server = Server(Machine(plan, bus.wanted), bound, bus)
            watch = _Watch(server, bus)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.run)
                client = _client(loaded, setting)
                for cell in planned:
                    tally = Tally()
                    for _ in range(runs):
                        await _run(cell, client, targets_of(bound), People(pki), watch, tally)
                    note(cell, tally)
                nursery.cancel_scope.cancel()
        finally:
            close_all(bound)


def _client(loaded: LoadedScenario, setting: Setting) -> Sequence[Step]:
    fix = loaded.scenario.fixes.get(setting.fix)
    return (fix.client if fix is not None else None) or loaded.scenario.symptom.client or ()


class _Watch:
    """Notices an upload that stalls, gives it a moment, and ends it as its timer would."""

    def __init__(self, server: Server, bus: Bus) -> None:
        self._server = server
        self._stalled: dict[int, float] = {}
        self.was_stalled = False
        self._news = trio.Event()
        bus.record({EntityBodyStalled}, lambda event: self._stall(event.connection))
        bus.record({EntityBodyResumed}, lambda event: self._go_on(event.connection))

    def begin(self) -> None:
        """Another run."""
        self._stalled.clear()
        self.was_stalled = False

    def _stall(self, connection: int) -> None:
        self._stalled[connection] = trio.current_time()
        self.was_stalled = True
        self._news.set()

    def _go_on(self, connection: int) -> None:
        self._stalled.pop(connection, None)

    async def run(self) -> None:
        """End what stays stalled."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            await trio.sleep(SETTLE_SECONDS)
            for connection in list(self._stalled):
                self._server.hasten(connection)


async def _run(
    cell: Cell, client: Sequence[Step], where: Mapping[str | None, Target], people: People, watch: _Watch, tally: Tally
) -> None:
    steps = cell.style.steps(client, cell.body, cell.relay)
    watch.begin()
    outcome, certificate = "gave_up", None
    with trio.move_on_after(LONGEST_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch.run)
            last = (await walk(steps, where, people, cell.style.writing))[-1]
            outcome, certificate = last.kind, last.certificate
            nursery.cancel_scope.cancel()
    tally.add(outcome=outcome, certificate=certificate, stalled=watch.was_stalled)
