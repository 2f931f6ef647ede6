"""The certificate stores of a scenario: groups of roots that are alike.

The roots of a group are names and nothing else, because only their names go on the wire. Those that count are the
lab's own authorities: which of them are where decides whose clients are trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, StrictBool, model_validator

from tlslab.knobs import PLAIN, Knob, TakesEffect, Tool, WindowsSetting
from tlslab.schannel.issuer_list import CLIENT_AUTH_ISSUER, ROOT
from tlslab.schannel.settings import ClientAuthTrustMode

INTERMEDIATES = "CA"  # certutil's word; in certlm.msc: Intermediate Certification Authorities
NUMBER = "{n}"
LONGEST = 64  # characters of a common name or an organization (X.520: ub-common-name, ub-organization-name)
# The lab's own: above alice, between it and leaf-only, above wrong-ca, and above the servers' certificates.
AuthorityName = Literal["client", "intermediate", "untrusted", "server"]
AUTHORITIES: tuple[AuthorityName, ...] = get_args(AuthorityName)
INTERMEDIATE: AuthorityName = "intermediate"
ROOT_OF: Mapping[AuthorityName, AuthorityName] = {INTERMEDIATE: "client"}
MOST_ROOTS = 2000  # in a group; some 700 names fill the longest list that TLS can carry


class RootState(StrEnum):
    """What is the matter with a root: its certificates are in use, it is past its date, or nobody needs it.

    Third-party: Windows' own root program brought it (KB931125), into the registry key AuthRoot, which can be emptied.
    """

    VALID = "valid"
    EXPIRED = "expired"
    UNUSED = "unused"
    THIRD_PARTY = "third-party"


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
    """`count` roots that are alike, `{n}` in `name` being their number; or, with `authority`, the lab's own.

    Not `self_signed` are certificates of authorities that another one issued, which belong elsewhere.
    """

    name: NamePart | None = None
    organization: NamePart | None = None
    count: Annotated[int, PLAIN, Field(ge=1, le=MOST_ROOTS)] = 1
    state: RootState = RootState.VALID
    authority: AuthorityName | None = None
    self_signed: StrictBool = True

    @model_validator(mode="after")
    def _one_kind(self) -> Roots:
        if (self.name is None) == (self.authority is None):
            raise ValueError(f"expected a name, or authority: {', '.join(AUTHORITIES)} (the lab's own)")
        if self.name is None and (self.count > 1 or self.organization is not None):
            raise ValueError("an authority of the lab's own has its own name, and is there once")
        if self.name is None and not self.self_signed:
            raise ValueError("whether an authority of the lab's own is self-signed is known: intermediate is not")
        if self.name is not None and self.count > 1 and NUMBER not in self.name:
            raise ValueError(f"{self.count} roots need {NUMBER} in their name, or they are all the same")
        if len(self.common_name(self.count)) > LONGEST:
            raise ValueError(f"a name has at most {LONGEST} characters, its number included")
        return self

    @property
    def is_root(self) -> bool:
        """Whether they issued themselves."""
        return self.self_signed and self.authority != INTERMEDIATE

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

    @property
    def authorities(self) -> frozenset[AuthorityName]:
        """The authorities of the lab's own that are in it."""
        return frozenset(group.authority for group in self.present if group.authority is not None)

    @property
    def is_mixed(self) -> bool:
        """Whether roots and certificates that are none stand side by side in it."""
        return len({group.is_root for group in self.present}) > 1

    def has(self, authority: AuthorityName) -> bool:
        """Whether this authority of the lab's own is in it."""
        return authority in self.authorities


def _in_place(stores: dict[str, Store]) -> dict[str, Store]:
    for name, store in stores.items():
        for group in store.roots:
            if name == INTERMEDIATES and group.authority not in (None, INTERMEDIATE):
                raise ValueError(
                    f"authority: {group.authority} is a root; of the lab's own {INTERMEDIATE} belongs here"
                )
    return stores


def _trusted_roots(stores: Mapping[str, Store]) -> frozenset[AuthorityName]:
    """Those among Trusted Roots: none where one is not self-signed, which makes good ones untrusted (KB2802568).

    Trust in a store of the binding's own (ClientAuthTrustMode 2) is the way around that (SSIS Scale Out's guide).
    """
    if ROOT not in stores:
        return frozenset(["client"])
    return stores[ROOT].authorities if all(group.is_root for group in stores[ROOT].present) else frozenset()


Stores = Annotated[dict[StoreName, Store], AfterValidator(_in_place)]


def trusted(
    stores: Mapping[str, Store],
    ctl_store: str | None = None,
    mode: ClientAuthTrustMode = ClientAuthTrustMode.MACHINE_TRUST,
    *,
    fetches: bool = False,
) -> tuple[AuthorityName, ...]:
    """The authorities of the lab's own in one of which a client's chain must end, on a binding with that `ctl_store`.

    Trusted Roots decide, and where a scenario says nothing of them the client authority is there alone. A store that
    the binding names restricts them, or takes their place, by the `mode`; an empty one is passed over. That machine
    trust speaks of that store alone, and not of the list of issuers wherever it comes from, is an assumption.
    `fetches`: an intermediate that is not there is had from the address in the client's certificate.
    """
    roots = _trusted_roots(stores)
    own = stores.get(ctl_store) if ctl_store is not None else None
    if own is None or not own.present:
        found = set(roots)
    elif mode is ClientAuthTrustMode.EXCLUSIVE_CA_TRUST:
        found = set(own.authorities)
    elif mode is ClientAuthTrustMode.EXCLUSIVE_ROOT_TRUST:
        found = set(own.authorities - {INTERMEDIATE})
    else:
        found = {name for name in own.authorities if ROOT_OF.get(name, name) in roots}
    installed = INTERMEDIATES in stores and stores[INTERMEDIATES].has(INTERMEDIATE)
    if (installed or fetches) and ROOT_OF[INTERMEDIATE] in found:
        found.add(INTERMEDIATE)  # the server has what a client may have left out
    return tuple(name for name in AUTHORITIES if name in found)
