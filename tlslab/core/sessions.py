"""Who may resume what: the one session table of the lab, and the OpenSSL contexts that carry its decisions out.

pyOpenSSL has no way to make OpenSSL forget a session, and OpenSSL resumes only what the same context issued. So a
connection that offers a session of the table gets the context that issued it; if the session has left the table, a
context that never issued it. A context is kept as long as the table has a session of its, a connection uses it, or it
issues now; so what OpenSSL keeps is little more than the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tlslab.core.plan import LabPlan
from tlslab.events import SessionEvicted, SessionNotResumed
from tlslab.recorder import Recorder
from tlslab.schannel.session_cache import (
    ENTRY_BYTES,
    IDLE_PURGE_SECONDS,
    Eviction,
    Hit,
    Miss,
    Reason,
    SessionCache,
)
from tlslab.tls.context import KeyLog, Protocol, ServerContext, server_context
from tlslab.types import frozen_for_mypy
from tlslab.wire.hello import ClientHello

# After so many sessions in the lab, new contexts issue the next: a context gives memory back only as a whole, and
# OpenSSL keeps 20,480 sessions for one (SSL_SESSION_CACHE_MAX_SIZE_DEFAULT); the table may be set larger.
ISSUED_BEFORE_NEW = 1_000


class Contexts:
    """The contexts of one binding that issue sessions now. Two are enough to avoid any one.

    TLS 1.3 has its own: OpenSSL keeps two tickets for each connection, and they would push out other sessions.
    """

    def __init__(self, build: Callable[[], ServerContext]) -> None:
        self._build = build
        self._issuing = [build()]
        self._tls13: ServerContext | None = None

    def another_than(self, avoided: ServerContext | None) -> ServerContext:
        """A context that is not `avoided`."""
        for context in self._issuing:
            if context is not avoided:
                return context
        self._issuing.append(self._build())
        return self._issuing[-1]

    @property
    def tls13(self) -> ServerContext:
        """The context of connections that speak TLS 1.3."""
        if self._tls13 is None:
            self._tls13 = self._build()
        return self._tls13

    def retire(self) -> None:
        """Give new connections other contexts from now on; who offers a session of these still gets them."""
        self._issuing.clear()


@frozen_for_mypy
class Choice:
    """The context for a connection, and why the session it offered cannot be resumed.

    `miss` is None where it is there, or where none was offered that this lab ever issued (`offered` is b"" then).
    """

    context: ServerContext
    offered: bytes = b""
    miss: Miss[ServerContext] | None = None


class Sessions:
    """The table and the contexts; `emit` is the machine's own recorder.

    Call `choose` once for a connection; after each ServerHello without resumption `not_resumed`, where that was tried,
    and `issued`; while `purges_idle`, `touch` for what comes on it; `forget` when it fails; `tick` at `next_deadline`.
    """

    def __init__(self, plan: LabPlan, emit: Recorder, keylog: KeyLog | None) -> None:
        settings = plan.setup.schannel
        self._emit = emit
        self._issued = 0
        self._cache: SessionCache[ServerContext] = SessionCache(
            settings.maximum_cache_size,
            settings.server_cache_time,
            None if plan.setup.enable_kernel_ssl else IDLE_PURGE_SECONDS,
        )
        self.purges_idle = self._cache.purges_idle
        self._speak_tls13 = {name for name, settings in plan.tls.items() if Protocol.TLS1_3 in settings.protocols}
        self._contexts: Mapping[str, Contexts] = {
            name: Contexts(lambda name=name, settings=settings: server_context(settings, name, keylog))  # type: ignore[misc]
            for name, settings in plan.tls.items()
        }

    def choose(self, binding: str, hello: ClientHello, now: float) -> Choice:
        """Pick the context for a connection that begins with this ClientHello."""
        contexts, session_id = self._contexts[binding], hello.session_id
        if binding in self._speak_tls13 and Protocol.TLS1_3 in hello.supported_versions:
            return Choice(contexts.tls13)
        found = self._cache.lookup((binding, session_id), now) if session_id else None
        match found:
            case Hit(issuer):
                return Choice(issuer, session_id)
            case Miss(reason, issuer) if reason is not Reason.NEVER_ISSUED:
                return Choice(contexts.another_than(issuer), session_id, found)
            case _:  # 32 random bytes of a client that knows TLS 1.3 are no attempt to resume
                return Choice(contexts.another_than(None))

    def issued(self, binding: str, session_id: bytes, context: ServerContext, now: float, connection: int = 0) -> None:
        """A full handshake gave out a session."""
        self._issued += 1
        if self._issued % ISSUED_BEFORE_NEW == 0:
            for contexts in self._contexts.values():  # all at once: none may issue after the table forgot its first
                contexts.retire()
        self._tell(self._cache.store((binding, session_id), context, now, connection), now)

    def not_resumed(self, emit: Recorder, choice: Choice, new_id: bytes, now: float) -> None:
        """Tell that a session the client offered was not taken up, with what the table knows of it."""
        reason = choice.miss.reason if choice.miss else None
        low, high = ENTRY_BYTES
        emit(
            SessionNotResumed,
            now,
            old_id=choice.offered.hex(),
            new_id=new_id.hex(),
            reason=reason or "not_acceptable",
            knob=self._cache.knob(reason) if reason else "",
            entries=len(self._cache),
            lsass_bytes_low=low * len(self._cache),
            lsass_bytes_high=high * len(self._cache),
        )

    def touch(self, binding: str, session_id: bytes, now: float, connection: int) -> None:
        """Something happened on a connection of this session."""
        self._cache.touch((binding, session_id), now, connection)

    def forget(self, binding: str, session_id: bytes, reason: Reason, now: float) -> None:
        """A connection of this session failed."""
        self._tell(self._cache.forget((binding, session_id), reason, now), now)

    def tick(self, now: float) -> None:
        """Purge what is due."""
        self._tell(self._cache.tick(now), now)

    @property
    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        return self._cache.next_deadline

    def _tell(self, evictions: list[Eviction], now: float) -> None:
        for eviction in evictions:
            binding, session_id = eviction.key
            self._emit.of(binding)(
                SessionEvicted,
                now,
                session_id=session_id.hex(),
                reason=eviction.reason,
                knob=self._cache.knob(eviction.reason),
                age_seconds=eviction.age_seconds,
                entries=eviction.entries,
            )
