"""Who the clients of a run are: identities by name, the authority they trust, and what each of them goes by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

from tlslab.client.choice import Criteria, Decision, Held, choose
from tlslab.pki.authorities import Credential
from tlslab.pki.store import Pki
from tlslab.scenario.schema import Step
from tlslab.tls.context import ClientSettings, Shown

NOBODY = "none"


class People:
    """The identities of a PKI, as settings for the lab's own client.

    They go by what a step says, unless a `choice` is given. Whoever has an identity also has those that it `holds`,
    behind the step's own. `note` is told each decision, of those who decide.
    """

    def __init__(
        self,
        pki: Pki,
        choice: Criteria | None = None,
        holds: Sequence[str] = (),
        note: Callable[[Decision], None] = lambda _decision: None,
    ) -> None:
        self._pki = pki
        self._choice = choice
        self._holds = holds
        self._note = note
        self._settings = cache(self._make)

    def settings_for(self, step: Step) -> ClientSettings:
        """The client that a step wants."""
        choice = self._choice or Criteria(step.filters_by_issuer, step.filters_by_usage)
        refuses = step.renegotiation == "refuse"
        return self._settings(step.identity, step.sends, choice, refuses, step.post_handshake_auth)

    def _make(
        self, identity: str, sends: str | None, choice: Criteria, refuses: bool, offers_post_handshake: bool
    ) -> ClientSettings:
        trusted = (self._pki.server_authority.certificate,)
        nobody = ClientSettings(trusted, refuses_renegotiation=refuses, offers_post_handshake=offers_post_handshake)
        if identity == NOBODY:
            return nobody
        names = list(dict.fromkeys((identity, *self._holds)))
        credentials = [self._credential(name, sends) for name in names]
        if choice == Criteria():
            given = credentials[0]
            return replace(nobody, chain=given.chain, key=given.key)
        held = [Held(name, one.chain) for name, one in zip(names, credentials, strict=True)]

        def pick(issuers: frozenset[bytes]) -> int | None:
            decision = choose(choice, held, issuers, self._pki.opened)
            self._note(decision)
            return None if decision.sent is None else names.index(decision.sent)

        return replace(nobody, wallet=tuple(Shown(one.chain, one.key) for one in credentials), choose=pick)

    def _credential(self, name: str, sends: str | None) -> Credential:
        credential = self._pki.identity(name)
        return credential if sends is None else credential.showing(sends, self._pki.issuers(name))
