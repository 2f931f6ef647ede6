"""Who the clients of a run are: identities by name, and the authority they trust."""

from __future__ import annotations

from functools import cache

from tlslab.pki.store import Pki
from tlslab.tls.context import ClientSettings

NOBODY = "none"


class People:
    """The identities of a PKI, as settings for the lab's own client."""

    def __init__(self, pki: Pki) -> None:
        self._pki = pki
        self.client_settings = cache(self._client_settings)

    def _client_settings(self, identity: str, *, refuses_renegotiation: bool = False) -> ClientSettings:
        trusted = (self._pki.server_authority.certificate,)
        if identity == NOBODY:
            return ClientSettings(trusted, refuses_renegotiation=refuses_renegotiation)
        credential = self._pki.identity(identity)
        return ClientSettings(trusted, credential.chain, credential.key, refuses_renegotiation)
