"""A lab in a thread of its own, under a clock of its own, for a program that does other things meanwhile."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future

import trio

from tlslab.core.machine import Machine
from tlslab.core.patience import Patience
from tlslab.errors import LabError
from tlslab.lab.evidence import Evidence
from tlslab.lab.home import home, open_home
from tlslab.lab.lifetime import each_second
from tlslab.lab.options import Options
from tlslab.lab.running import Running
from tlslab.lab.steering import PATIENCE_SECONDS, Steering
from tlslab.net.bus import Bus
from tlslab.net.clock import RateClock
from tlslab.net.server import Server, bind, close_all
from tlslab.scenario.build import build
from tlslab.scenario.load import load
from tlslab.scenario.overlay import parse_set
from tlslab.scenario.windows_names import understood


class ThreadedLab:
    """What `tlslab serve` runs, in a thread. `listen` hangs readers on its bus before anything happens.

    It has its ports once it is made, and serves after `start`; call `stop` in any case. LabError: it cannot be had.
    """

    def __init__(self, options: Options, listen: Callable[[Bus], None] = lambda _bus: None) -> None:
        loaded, pki, bus = load(options.scenario, options.profile), open_home(), Bus()
        settings = understood(loaded.data, dict(map(parse_set, options.settings)), loaded.ground)
        plan = build(loaded, options.fixes, settings, pki, host=options.host, sans=options.sans, port=options.port)
        with contextlib.ExitStack() as opened:
            bound = bind(plan.listeners)
            opened.callback(close_all, bound)
            running = Running.of(loaded, plan, pki, [one.listener for one in bound], options, home())
            listen(bus)
            self._files = Evidence(options, plan, bus, opened)
            patience = Patience(options.speed)
            machine = Machine(running.plan_with_links, bus.wanted, self._files.keylog, patience)
            self._server = Server(machine, bound, bus, self._files.tap)
            self._stack = opened.pop_all()
        self.options = options
        self.steering = Steering(running, self._server, options.fixes, settings)
        self._started: Future[trio.CancelScope] = Future()
        self._thread = threading.Thread(target=self._serve, name=f"tlslab {options.scenario}", daemon=True)

    @property
    def running(self) -> Running:
        """What is known of it now."""
        return self.steering.running

    def start(self) -> None:
        """Serve; return once it does."""
        self._thread.start()
        try:
            self._started.result(PATIENCE_SECONDS)
        except BaseException:
            self._stack.close()
            raise

    def stop(self) -> None:
        """End it, with all connections; every file is closed then."""
        if self._started.done() and self._started.exception() is None:
            with contextlib.suppress(LabError):
                self.steering.call(self._started.result().cancel)
            self._thread.join(PATIENCE_SECONDS)
        self._stack.close()

    def _serve(self) -> None:
        try:
            trio.run(self._run, clock=RateClock(self.options.speed))
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _run(self) -> None:
        with trio.CancelScope() as scope:
            self._files.begin()
            self.steering.begin()
            self._started.set_result(scope)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(each_second, self._files.look_after, self.options.speed)
                await self._server.run()
