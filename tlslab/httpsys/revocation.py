"""Whether a binding holds the list of revoked client certificates for too old.

revocationfreshnesstime is documented as the time after which a newer list is looked for (netsh, http.h), 0 being when
the last one has expired. A blog of Microsoft's French IIS support (friis, 15 April 2010) found that it is an age limit
and forces no download: a list that was *issued* longer ago counts as offline, and good certificates get 403.13 until
the authority publishes a younger one. That is what is imitated here. No list is really read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tlslab.httpsys.bindings import Binding
from tlslab.types import TlsFacts, Verdict, frozen_for_mypy


@frozen_for_mypy
class RevocationList:
    """A list that was `age` old when the lab started, and is issued anew `every` so often; seconds."""

    age: float
    every: float

    def age_at(self, now: float) -> float:
        """How old it is, at that lab time."""
        return (self.age + now) % self.every


def freshness(bindings: Iterable[Binding]) -> Mapping[str, float]:
    """The age limits by binding, of those that have one; seconds."""
    times = {binding.name: binding.record.revocation_freshness_time for binding in bindings}
    return {name: seconds for name, seconds in times.items() if seconds}


def checked(facts: TlsFacts, limit: float, crl: RevocationList, now: float) -> TlsFacts:
    """The same, but where the certificate is good and the list is older than `limit`."""
    certificate = facts.client_certificate
    if certificate is None or certificate.verdict is not Verdict.TRUSTED or crl.age_at(now) <= limit:
        return facts
    return replace(facts, client_certificate=replace(certificate, verdict=Verdict.REVOCATION_OFFLINE))
