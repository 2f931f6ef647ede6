"""Who the clients of a run are: identities by name, and the authority they trust."""

from __future__ import annotations

from functools import cache

from tlslab.pki.store import Pki
from tlslab.scenario.schema import Step
from tlslab.tls.context import ClientSettings

NOBODY = "none"


class People:
    """The identities of a PKI, as settings for the lab's own client."""

    def __init__(self, pki: Pki) -> None:
        self._pki = pki
        self._settings = cache(self._make)

    def settings_for(self, step: Step) -> ClientSettings:
        """The client that a step wants."""
        refuses = step.renegotiation == "refuse"
        return self._settings(step.identity, refuses, step.filters_by_issuer, step.post_handshake_auth)

    def _make(self, identity: str, refuses: bool, filters: bool, offers: bool) -> ClientSettings:
        trusted = (self._pki.server_authority.certificate,)
        if identity == NOBODY:
            return ClientSettings(trusted, refuses_renegotiation=refuses, offers_post_handshake=offers)
        credential = self._pki.identity(identity)
        return ClientSettings(trusted, credential.chain, credential.key, refuses, filters, offers)
