"""What the core adds to what TLS sees, at the moment TLS sees it."""

from __future__ import annotations

from tlslab.core.plan import CutIssuers
from tlslab.core.reception import tell_hello
from tlslab.events import IssuerListTruncated
from tlslab.httpsys.pipeline import Pipeline
from tlslab.recorder import Recorder
from tlslab.schannel.event_log import ISSUER_LIST_TRUNCATED, is_logged
from tlslab.schannel.settings import Schannel
from tlslab.wire.hello import ClientHello


class Witness:
    """A `tls.server.HandshakeWatcher`: it knows the request that a handshake interrupts, and the list that was cut."""

    def __init__(self, http: Pipeline, cut: CutIssuers | None, schannel: Schannel, emit: Recorder) -> None:
        self._http = http
        self._cut = cut
        self._schannel = schannel
        self._emit = emit

    @property
    def wants_issuers(self) -> bool:
        """Whether there is a list that was cut, and somebody who reads that."""
        return self._cut is not None and self._emit.wants(IssuerListTruncated)

    def on_client_hello(self, hello: ClientHello, now: float) -> None:
        """Tell of the ClientHello of a renegotiation, and how much body stands in front of it."""
        tell_hello(self._emit, hello, now, behind_body_bytes=self._http.body_received)

    def on_certificate_request(self, issuers: tuple[str, ...], issuers_bytes: int, now: float) -> None:
        """Tell which issuers the list on the wire does not name for want of room: nothing on the wire says so."""
        if self._cut is not None:
            self._emit(
                IssuerListTruncated,
                now,
                sent=issuers,
                dropped=self._cut.names,
                wire_bytes=issuers_bytes,
                limit_bytes=self._cut.limit_bytes,
                event_id=ISSUER_LIST_TRUNCATED.event_id,
                logged=is_logged(ISSUER_LIST_TRUNCATED, self._schannel),
            )
