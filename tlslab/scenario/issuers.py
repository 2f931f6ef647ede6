"""The names that the certificate stores of a scenario stand for, as a CertificateRequest has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tlslab.pki.root_names import RootName, root_name
from tlslab.scenario.stores import AuthorityName, Roots, Store
from tlslab.schannel.issuer_list import ROOT, source_store


def issuer_names(
    stores: Mapping[str, Store], ctl_store: str | None, name_of: Callable[[AuthorityName], RootName]
) -> tuple[RootName, ...]:
    """The names that a binding would send if there were no limit: those of the store that counts, in its order.

    Trusted Roots among which are certificates that are not self-signed give the names of those alone (Microsoft Learn,
    What's new in TLS/SSL). `name_of` gives that of an authority of the lab's own. Where a scenario says nothing of
    Trusted Roots, the client authority is in it, and nobody else.
    """
    sizes = {name: sum(group.count for group in store.present) for name, store in stores.items()}
    chosen = source_store(ctl_store, sizes)
    if chosen not in stores:
        return (name_of("client"),)
    store = stores[chosen]
    groups = [group for group in store.present if not (chosen == ROOT and store.is_mixed and group.is_root)]
    return tuple(name for group in groups for name in _names(group, name_of))


def _names(group: Roots, name_of: Callable[[AuthorityName], RootName]) -> Iterator[RootName]:
    """The names of a group, in order."""
    if group.authority is not None:
        yield name_of(group.authority)
    else:
        yield from (root_name(group.common_name(number), group.organization) for number in range(1, group.count + 1))
