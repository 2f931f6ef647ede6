"""Who the lab's clients are: one identity for each verdict on a sound certificate, and how each is issued.

Dates hang on the authority's, not on today's: the lab is refused before its authority begins and from
`AUTHORITY_MARGIN` before it ends, so within the life of a PKI an expired identity stays expired and one that is not yet
valid never becomes valid, whenever they were made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from tlslab.pki.authorities import (
    SERVER_AUTH,
    Authority,
    Credential,
    Period,
    issue_client,
    make_authority,
    make_intermediate,
)
from tlslab.types import Verdict

# No lab may start that would fail for its own authority's age before anyone expects it.
AUTHORITY_MARGIN = timedelta(days=30)
SECOND = timedelta(seconds=1)  # the smallest step of a certificate's dates
CLIENT_CA, INTERMEDIATE_CA, UNTRUSTED_CA = "client-ca", "intermediate-ca", "untrusted-ca"


@dataclass(frozen=True, slots=True)
class IdentityKind:
    """What an identity is for: the verdict it gets, who issued it, and whether it shows its issuers.

    `purpose` completes "alice: ..."; `issuer` is the name of an authority's files. `is_documented` says whether a
    document names the status that IIS answers it with; where none does, it is an assumption.
    """

    verdict: Verdict
    purpose: str
    issuer: str = CLIENT_CA
    shows_issuers: bool = True
    is_documented: bool = True


IDENTITIES: Mapping[str, IdentityKind] = {
    "alice": IdentityKind(Verdict.TRUSTED, "in order"),
    "expired": IdentityKind(Verdict.EXPIRED, "its validity is over"),
    "not-yet-valid": IdentityKind(Verdict.NOT_YET_VALID, "its validity has not begun"),
    "wrong-ca": IdentityKind(Verdict.UNTRUSTED, "issued by an authority that the lab does not trust", UNTRUSTED_CA),
    "wrong-eku": IdentityKind(
        Verdict.WRONG_USAGE, "issued for servers alone: its extended key usage is serverAuth", is_documented=False
    ),
    "revoked": IdentityKind(Verdict.TRUSTED, "on the lab's list of revoked certificates, which no lab consults yet"),
    "leaf-only": IdentityKind(
        Verdict.INCOMPLETE_CHAIN,
        "issued by an intermediate authority, and does not send it along",
        INTERMEDIATE_CA,
        shows_issuers=False,
        is_documented=False,
    ),
    "full-chain": IdentityKind(
        Verdict.TRUSTED, "the certificate of leaf-only, sent with its intermediate", INTERMEDIATE_CA
    ),
}
FIRST = "alice"  # the one that HOME/pki itself holds, and once the only one


@dataclass(frozen=True, slots=True)
class Others:
    """Every identity but the first, as its client shows it, and the authorities that were made for them."""

    credentials: Mapping[str, Credential]
    intermediate: Authority
    untrusted: Authority


@dataclass(frozen=True, slots=True)
class Revocation:
    """An entry in the lab's list of revoked certificates, as a revocation list of `issuer` will name it."""

    identity: str
    serial: int
    issuer: str
    since: datetime


def issue_others(client: Authority, suffix: str, now: datetime) -> Others:
    """Issue every identity but the first; `suffix` tells the authorities of two labs apart."""
    intermediate = make_intermediate(client, f"tlslab Intermediate CA {suffix}", now)
    untrusted = make_authority(f"tlslab Untrusted CA {suffix}", now)
    full = issue_client(intermediate, "leaf-only", now)
    credentials = {
        "expired": issue_client(client, "expired", now, period=_over(client)),
        "not-yet-valid": issue_client(client, "not-yet-valid", now, period=_to_come(client)),
        "wrong-ca": issue_client(untrusted, "wrong-ca", now),
        "wrong-eku": issue_client(client, "wrong-eku", now, purpose=SERVER_AUTH),
        "revoked": issue_client(client, "revoked", now),
        "leaf-only": Credential(full.chain[:1], full.key),
        "full-chain": full,
    }
    return Others(credentials, intermediate, untrusted)


def _over(authority: Authority) -> Period:
    end = authority.certificate.not_valid_before_utc - SECOND
    return end - timedelta(days=365), end


def _to_come(authority: Authority) -> Period:
    end = authority.certificate.not_valid_after_utc
    return end - AUTHORITY_MARGIN + SECOND, end


def revocations_json(revoked: x509.Certificate, now: datetime) -> bytes:
    """Write the lab's list of revoked certificates: one entry, of the identity `revoked`."""
    entry = {
        "identity": "revoked",
        "serial": f"{revoked.serial_number:x}",
        "issuer": revoked.issuer.rfc4514_string(),
        "since": now.isoformat(timespec="seconds"),
    }
    return json.dumps([entry], indent=1).encode() + b"\n"


def parse_revocations(content: bytes) -> tuple[Revocation, ...]:
    """Read that list. ValueError, TypeError, KeyError: it is not what the lab wrote."""
    return tuple(
        Revocation(
            identity=str(entry["identity"]),
            serial=int(entry["serial"], 16),
            issuer=str(entry["issuer"]),
            since=datetime.fromisoformat(entry["since"]),
        )
        for entry in json.loads(content)
    )
