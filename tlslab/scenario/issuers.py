"""The names that the certificate stores of a scenario stand for, as a CertificateRequest has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tlslab.pki.root_names import RootName, root_name
from tlslab.scenario.stores import Roots, Store
from tlslab.schannel.issuer_list import source_store


def issuer_names(
    stores: Mapping[str, Store], ctl_store: str | None, authorities: Sequence[RootName]
) -> tuple[RootName, ...]:
    """The names that a binding would send if there were no limit: those of the store that counts, in its order.

    Where a scenario says nothing of Trusted Roots, the lab's own client `authorities` are in it, and nobody else.
    """
    sizes = {name: sum(group.count for group in store.present) for name, store in stores.items()}
    chosen = source_store(ctl_store, sizes)
    if chosen not in stores:
        return tuple(authorities)
    return tuple(name for group in stores[chosen].present for name in _names(group, authorities))


def _names(group: Roots, authorities: Sequence[RootName]) -> Iterator[RootName]:
    """The names of a group, in order; `authorities` are those of the lab's own."""
    if group.authority is not None:
        yield from authorities  # the models keep the intermediate out of the stores that this is asked of
    else:
        yield from (root_name(group.common_name(number), group.organization) for number in range(1, group.count + 1))
