"""The body of one request: counted and hashed, not kept."""

from __future__ import annotations

import hashlib

import pytest

from tlslab.httpsys.entity_body import BodyFacts, EntityBody


@pytest.mark.parametrize("pieces", [[], [b""], [b"abc"], [b"a", b"bc"], [bytearray(b"ab"), b"c"]])
def test_length_and_hash_do_not_depend_on_the_pieces(pieces):
    """However a body arrives, its facts are those of the whole."""
    body = EntityBody(len(b"".join(pieces)))
    for piece in pieces:
        body.take(piece)
    whole = b"".join(pieces)
    assert body.facts() == BodyFacts(len(whole), hashlib.sha256(whole).hexdigest(), complete=False)
    assert body.received == len(whole) == body.announced
    body.complete = True
    assert body.facts().complete


def test_a_chunked_body_announces_nothing():
    """Its length is known at its end."""
    assert EntityBody(None).announced is None
