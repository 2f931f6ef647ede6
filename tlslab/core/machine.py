"""The Windows machine: what all its connections share. To events it is connection 0."""

from __future__ import annotations

from collections.abc import Callable, Set
from itertools import count

from tlslab.core.answers import Answers
from tlslab.core.connection import Connection
from tlslab.core.patience import Patience
from tlslab.core.plan import LabPlan, Listener
from tlslab.core.sessions import Sessions
from tlslab.events import Event, LabChanged, SstpCertificatesDiffer
from tlslab.httpsys.bindings import wildcard_certificates
from tlslab.recorder import Recorder
from tlslab.tls.context import KeyLog


class Machine:
    """A running scenario without its sockets: `accept` makes a `Connection`, which its owner drives.

    `wanted` is the set of event types that are built; it may grow and shrink while the lab runs. The lab has a time of
    its own: call `tick` when `next_deadline` has come, and `take_events` once it is made, after `tick`, and after what
    connections do.
    `patience` is how long it waits for its clients.
    """

    def __init__(
        self,
        plan: LabPlan,
        wanted: Set[type[Event]],
        keylog: KeyLog | None = None,
        patience: Patience = Patience(),  # noqa: B008 - it is frozen
    ) -> None:
        self.plan = plan
        self._patience = patience
        self._timers = patience.timers(plan.setup.timers)
        self.wanted = wanted
        self.connections_accepted = 0
        self._ids = count(1)
        self._emit = Recorder(0, wanted)
        # Gives away what happened to the lab, not to one connection, since the last call: after each step of each.
        self.take_events: Callable[[], list[Event]] = self._emit.take
        self._answers = Answers(plan)
        self._sessions = Sessions(plan, self._emit, keylog)
        self._keylog = keylog
        self._check_sstp()

    def change(self, plan: LabPlan, settings: tuple[str, ...] = (), now: float = 0.0) -> int:
        """Be set otherwise, as `plan` says, from the next connection on; its number is returned.

        Connections that are open go on as they began. The session table begins anew, as when the machine had restarted.
        `settings` are told, and nothing more: the plan is made of them.
        """
        self.plan = plan
        self._timers = self._patience.timers(plan.setup.timers)
        self._answers = Answers(plan)
        self._sessions = Sessions(plan, self._emit, self._keylog)
        first = self.connections_accepted + 1
        self._emit(LabChanged, now, from_connection=first, fixes=plan.fixes, settings=settings)
        return first

    def accept(self, listener: Listener, peer: str, local: str, now: float) -> Connection:
        """Take a new connection on `listener`; both addresses are `host:port`."""
        self.connections_accepted += 1
        emit = Recorder(next(self._ids), self.wanted)
        patience, timers = self._patience, self._timers
        return Connection(self.plan, self._answers, self._sessions, emit, listener, peer, local, patience, timers, now)

    def tick(self, now: float) -> None:
        """Purge the sessions that are due."""
        self._sessions.tick(now)

    def _check_sstp(self) -> None:
        """Compare the certificates of SSTP's port, as RasSstp does at boot, used or not (its event 24)."""
        port = self.plan.setup.sstp_listener_port
        if port is not None:
            records = [binding for listener in self.plan.listeners for binding in listener.bindings]
            ipv4, ipv6 = wildcard_certificates(records, port)
            if ipv4 != ipv6:
                self._emit(SstpCertificatesDiffer, 0.0, port=port, ipv4=ipv4, ipv6=ipv6)

    @property
    def next_deadline(self) -> float | None:
        """When `tick` has something to do, in lab time; None for never."""
        return self._sessions.next_deadline
