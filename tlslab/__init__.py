"""A TLS lab server. For programs and tests: `tlslab.open_lab` and `tlslab.tlslab_fixes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tlslab.testing.fixes import tlslab_fixes as tlslab_fixes
    from tlslab.testing.opening import open_lab as open_lab

_PLACES = {"open_lab": "tlslab.testing.opening", "tlslab_fixes": "tlslab.testing.fixes"}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and only then: a test suite that opens no lab pays for none."""
    if name not in _PLACES:
        raise AttributeError(f"module 'tlslab' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
