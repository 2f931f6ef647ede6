"""Every observable fact of a lab, as dataclasses that nobody changes: the one stream that all readers share.

An event carries lab time (`at`, seconds), connection (0: the lab itself), binding ("" until one is chosen) and numbers.
A text is a name, a value of an enumeration, or quotes a peer, a library or the system; sentences are the readers'.

A module for each kind; here they are all.
"""
# ruff: noqa: F403, F405, I001 - every name is meant, in the order in which things happen

from __future__ import annotations

from tlslab.events.base import *
from tlslab.events.connections import *
from tlslab.events.tls import *
from tlslab.events.http import *
from tlslab.events.lab import *

ALL: frozenset[type[Event]] = frozenset(
    kind for kind in vars().values() if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
)
