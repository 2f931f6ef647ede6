"""Which of its certificates a client sends, once it knows which issuers the server names: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography import x509

from tlslab.pki.authorities import is_for_clients


class KeptBack(StrEnum):
    """Why a client does not offer a certificate that it has."""

    ISSUER = "issuer"
    USAGE = "usage"
    DATES = "dates"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a client goes by. Whoever goes by nothing sends the first that it has, as OpenSSL does.

    `by_issuer`: by the names in the CertificateRequest, if there are any; one of them must be an issuer of its chain,
    as far up as the client has it. `by_usage`: by the extended key usage, which must allow clients or not be there.
    `by_dates`: by the validity.
    """

    by_issuer: bool = False
    by_usage: bool = False
    by_dates: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """An identity that a client holds: the certificate and those above it that it has, and whether its key is there."""

    name: str
    chain: tuple[x509.Certificate, ...]
    has_key: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """The identity that is sent, None for none, where so many issuers are named; and why each before it is not."""

    sent: str | None
    listed: int
    kept_back: Mapping[str, KeptBack]


def choose(choice: Criteria, wallet: Sequence[Held], issuers: frozenset[bytes], at: datetime) -> Decision:
    """Choose of a wallet for a server that names `issuers` (DER). Where several fit, a person takes the first."""
    kept_back: dict[str, KeptBack] = {}
    for held in wallet:
        why = why_kept_back(choice, held, issuers, at)
        if why is None:
            return Decision(held.name, len(issuers), kept_back)
        kept_back[held.name] = why
    return Decision(None, len(issuers), kept_back)


def why_kept_back(choice: Criteria, held: Held, issuers: frozenset[bytes], at: datetime) -> KeptBack | None:
    """Why this identity is not offered; None where it is. No list, or an empty one, allows every issuer (RFC 5246)."""
    leaf = held.chain[0]
    if not held.has_key:
        return KeptBack.KEY
    if choice.by_issuer and issuers and not issuers & {one.issuer.public_bytes() for one in held.chain}:
        return KeptBack.ISSUER
    if choice.by_usage and not is_for_clients(leaf):
        return KeptBack.USAGE
    if choice.by_dates and not leaf.not_valid_before_utc <= at <= leaf.not_valid_after_utc:
        return KeptBack.DATES
    return None
