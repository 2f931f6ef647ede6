"""Folders that appear complete or not at all, and files that are read with suspicion."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tlslab.errors import LabError
from tlslab.pki.authorities import issue_client, make_authority, make_intermediate
from tlslab.pki.export import certificates_pem
from tlslab.pki.files import draft, publish, read_chain

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_draft_that_is_published(tmp_path):
    """It is complete when it gets its name, and nothing stays beside it."""
    folder = tmp_path / "home" / "pki"
    with draft(folder.parent, {"a": b"1", "below/b": b"2"}) as place:
        assert not folder.exists()
        publish(place, folder)
    assert (folder / "a").read_bytes() + (folder / "below" / "b").read_bytes() == b"12"
    assert list(folder.parent.iterdir()) == [folder]


def test_a_draft_that_comes_too_late(tmp_path):
    """What another wrote stays, and the draft is gone."""
    folder = tmp_path / "pki"
    folder.mkdir()
    (folder / "theirs").touch()
    with draft(tmp_path, {"ours": b""}) as place:
        publish(place, folder)
    assert [path.name for path in folder.iterdir()] == ["theirs"]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_draft_that_is_given_up(tmp_path):
    """An error on the way leaves nothing behind."""
    with pytest.raises(LabError, match="cannot keep"), draft(tmp_path, {"a": b""}):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_chains(tmp_path):
    """A chain ends in its root, or in what stands above it; without that, an end entity alone is none."""
    root = make_authority("root", NOW)
    intermediate = make_intermediate(root, "between", NOW)
    chain = issue_client(intermediate, "leaf", NOW).chain
    path = tmp_path / "chain.pem"
    for known in range(len(chain)):
        path.write_bytes(certificates_pem(chain[: len(chain) - known]))
        assert read_chain(path, chain[len(chain) - known :]) == chain[: len(chain) - known]
    path.write_bytes(certificates_pem(chain[:1]))
    with pytest.raises(LabError, match=r"chain\.pem is damaged"):
        read_chain(path)
    with pytest.raises(LabError, match=r"chain\.pem is damaged"):
        read_chain(path, chain[2:])
