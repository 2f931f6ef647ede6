"""The certificate stores of a scenario: groups of roots that are alike.

The roots of a group are names and nothing else, because only their names go on the wire. Those that count are the
lab's own: the client authority among Trusted Roots, the intermediate among Intermediate Certification Authorities.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from tlslab.knobs import PLAIN, Knob, TakesEffect, Tool, WindowsSetting
from tlslab.schannel.issuer_list import CLIENT_AUTH_ISSUER, ROOT

INTERMEDIATES = "CA"  # certutil's word; in certlm.msc: Intermediate Certification Authorities
NUMBER = "{n}"
LONGEST = 64  # characters of a common name or an organization (X.520: ub-common-name, ub-organization-name)
MOST_ROOTS = 2000  # in a group; some 700 names fill the longest list that TLS can carry


class RootState(StrEnum):
    """What is the matter with a root: its certificates are in use, it is past its date, or nobody needs it."""

    VALID = "valid"
    EXPIRED = "expired"
    UNUSED = "unused"


def _ascii(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError("expected plain ASCII text")
    return value


def _store_name(value: str) -> str:
    for known in (ROOT, CLIENT_AUTH_ISSUER, INTERMEDIATES):
        if value.lower() == known.lower() and value != known:
            raise ValueError(f"certutil calls this store {known}")
    if "." in value:
        raise ValueError("expected a name without dots, which separate the parts of a path")
    return _ascii(value)


StoreName = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_store_name)]
NamePart = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(_ascii)]


class Roots(Knob):
    """`count` roots that are alike, `{n}` in `name` being their number; or, with `authority`, the lab's own."""

    name: NamePart | None = None
    organization: NamePart | None = None
    count: Annotated[int, PLAIN, Field(ge=1, le=MOST_ROOTS)] = 1
    state: RootState = RootState.VALID
    authority: Literal["client", "intermediate"] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Roots:
        if (self.name is None) == (self.authority is None):
            raise ValueError("expected a name, or authority: client for the lab's own")
        if self.name is None and (self.count > 1 or self.organization is not None):
            raise ValueError("the lab's own authority has its own name, and is there once")
        if self.name is not None and self.count > 1 and NUMBER not in self.name:
            raise ValueError(f"{self.count} roots need {NUMBER} in their name, or they are all the same")
        if len(self.common_name(self.count)) > LONGEST:
            raise ValueError(f"a name has at most {LONGEST} characters, its number included")
        return self

    def common_name(self, number: int) -> str:
        """The name of one root of the group; the first has number 1."""
        return (self.name or "").replace(NUMBER, str(number))


class Store(Knob):
    """A store of LocalMachine; `without` takes out every root that is in one of these states."""

    roots: Annotated[
        tuple[Roots, ...],
        WindowsSetting(
            "certlm.msc, or certutil -store and -addstore", Tool.CERTIFICATE_STORES, TakesEffect.NEXT_CONNECTION
        ),
    ] = ()
    without: Annotated[
        tuple[RootState, ...],
        WindowsSetting(
            "certlm.msc, or certutil -delstore: the roots that are taken out of the store",
            Tool.CERTIFICATE_STORES,
            TakesEffect.NEXT_CONNECTION,
        ),
    ] = ()

    @property
    def present(self) -> tuple[Roots, ...]:
        """The groups whose roots are in it."""
        return tuple(group for group in self.roots if group.state not in self.without)

    def has(self, authority: str) -> bool:
        """Whether this authority of the lab's own is in it."""
        return any(group.authority == authority for group in self.present)


def _in_place(stores: dict[str, Store]) -> dict[str, Store]:
    for name, store in stores.items():
        if any(group.authority == ("client" if name == INTERMEDIATES else "intermediate") for group in store.roots):
            raise ValueError(f"authority: intermediate belongs into {INTERMEDIATES}, authority: client into the others")
    return stores


Stores = Annotated[dict[StoreName, Store], AfterValidator(_in_place)]


def trusts_clients(stores: Mapping[str, Store]) -> bool:
    """Whether the lab's own client authority is among Trusted Roots, so that chains that end in it are good."""
    return ROOT not in stores or stores[ROOT].has("client")


def has_intermediate(stores: Mapping[str, Store]) -> bool:
    """Whether the server itself has the intermediate that a client may have left out."""
    return INTERMEDIATES in stores and stores[INTERMEDIATES].has("intermediate")
