"""Who the clients of a run are: identities by name, and the authority they trust."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from tlslab.pki.authorities import is_for_clients
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
        return self._settings(
            step.identity,
            step.sends,
            step.renegotiation == "refuse",
            step.filters_by_issuer,
            step.filters_by_usage,
            step.post_handshake_auth,
        )

    def _make(
        self,
        identity: str,
        sends: str | None,
        refuses_renegotiation: bool,
        filters_by_issuer: bool,
        filters_by_usage: bool,
        offers_post_handshake: bool,
    ) -> ClientSettings:
        trusted = (self._pki.server_authority.certificate,)
        nobody = ClientSettings(
            trusted, refuses_renegotiation=refuses_renegotiation, offers_post_handshake=offers_post_handshake
        )
        if identity == NOBODY:
            return nobody
        credential = self._pki.identity(identity)
        if filters_by_usage and not is_for_clients(credential.chain[0]):
            return nobody
        if sends is not None:
            credential = credential.showing(sends, self._pki.issuers(identity))
        return replace(nobody, chain=credential.chain, key=credential.key, filters_by_issuer=filters_by_issuer)
