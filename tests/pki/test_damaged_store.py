"""HOME/pki when something is wrong with it: it is never trusted and never silently remade, and the file is named."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from tlslab.errors import LabError
from tlslab.pki.authorities import make_server_authority
from tlslab.pki.export import key_pem
from tlslab.pki.identities import IDENTITIES
from tlslab.pki.store import open_pki

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OTHERS = [name for name in IDENTITIES if name != "alice"]
READ_AT_START = ["server-ca.pem", "server-ca-key.pem", "client-ca.pem", "alice.pem"]


def test_an_unknown_identity_is_a_lab_error(copied):
    """The error's hint names the identities there are."""
    with pytest.raises(LabError, match="bob") as caught:
        open_pki(copied, NOW).identity("bob")
    assert "alice" in caught.value.hint


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX pipes")
@pytest.mark.parametrize("name", READ_AT_START)
def test_a_pipe_in_a_files_place_is_named(copied, name, refusal):
    """It would be read for ever."""
    path = open_pki(copied, NOW).folder / name
    path.unlink()
    os.mkfifo(path)
    assert f"{path} is no file" in str(refusal(copied))


@pytest.mark.parametrize("name", READ_AT_START)
def test_a_damaged_file_is_named(copied, name, refusal):
    """One wrong letter, and the lab says which file it is in and how to start anew."""
    path = open_pki(copied, NOW).folder / name
    good = path.read_bytes()
    lines = good.splitlines(keepends=True)
    for number in (0, 1, len(lines) // 2):
        bad = lines[number][:9] + (b"B" if lines[number][9:10] == b"A" else b"A") + lines[number][10:]
        path.write_bytes(b"".join([*lines[:number], bad, *lines[number + 1 :]]))
        error = refusal(copied)
        assert str(path) in str(error)
        assert f"delete the folder {path.parent}" in error.hint
    path.write_bytes(good)
    open_pki(copied, NOW)


@pytest.mark.parametrize("name", READ_AT_START)
@pytest.mark.parametrize("content", [b"", b"\xff\x00 not PEM", None])
def test_an_empty_foreign_or_missing_file_is_named(copied, name, content, refusal):
    """Whatever stands in a file's place, the error names the file."""
    path = open_pki(copied, NOW).folder / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert str(path) in str(refusal(copied))


def test_a_damaged_identity_key_is_noticed_when_it_is_needed(copied):
    """A start does not read alice's key; her first use by the lab's own client does, and names the file."""
    pki = open_pki(copied, NOW)
    path = pki.identities["alice"].key_file
    path.write_bytes(b"nothing")
    with pytest.raises(LabError, match=r"alice-key\.pem"):
        open_pki(copied, NOW).identity("alice")


@pytest.mark.parametrize("name", ["expired.pem", "leaf-only-key.pem", "revoked.p12"])
def test_a_missing_file_is_never_remade_silently(copied, name, refusal):
    """It is named, with the least that mends it: that folder goes, the authorities stay."""
    pki = open_pki(copied, NOW)
    (pki.folder / "identities" / name).unlink()
    error = refusal(copied)
    assert f"{name} is missing" in str(error)
    assert f"delete the folder {pki.folder / 'identities'} and start again" in error.hint
    shutil.rmtree(pki.folder / "identities")
    assert open_pki(copied, NOW).client_authorities == pki.client_authorities


def test_an_identity_of_another_authority_is_refused(tmp_path, refusal):
    """A certificate copied from another lab is whole, and still none of this lab's."""
    path, other = (
        open_pki(tmp_path / "one", NOW).folder / "alice.pem",
        open_pki(tmp_path / "two", NOW).folder / "alice.pem",
    )
    path.write_bytes(other.read_bytes())
    assert "alice.pem does not hold" in str(refusal(tmp_path / "one"))


@pytest.mark.parametrize("name", OTHERS)
def test_a_swapped_identity_is_noticed_when_it_is_needed(copied, tmp_path, name):
    """A file of another lab is whole, and would show another fault than the one it is there for."""
    path = open_pki(copied, NOW).identities[name].cert_file
    path.write_bytes(open_pki(tmp_path / "other", NOW).identities[name].cert_file.read_bytes())
    with pytest.raises(LabError, match=path.name):
        open_pki(copied, NOW).identity(name)


def test_a_key_of_another_certificate_is_refused(copied, refusal):
    """A good key in the wrong place would only show as a broken handshake: the lab says it first."""
    path = open_pki(copied, NOW).folder / "server-ca-key.pem"
    path.write_bytes(key_pem(make_server_authority("another", NOW, ()).key))
    assert "not the key of the certificate" in str(refusal(copied))


def test_certificates_near_their_end_are_refused(copied, refusal):
    """The identity holds to its last day; an authority is refused from 30 days before its own."""
    pki = open_pki(copied, NOW)
    ends = pki.identity("alice").chain[0].not_valid_after_utc
    open_pki(copied, ends)
    assert "alice.pem is too old" in str(refusal(copied, ends + DAY))
    last = pki.client_authorities[0].not_valid_after_utc
    assert "client-ca.pem is too old" in str(refusal(copied, last - 29 * DAY))


def test_certificates_of_the_future_are_refused(copied, refusal):
    """A clock that went back by years is the likelier fault, and the error says so."""
    open_pki(copied, NOW)
    assert "clock" in str(refusal(copied, NOW - 2 * DAY))


def test_an_unwritable_home_names_the_variable(tmp_path, refusal):
    """Where nothing can be made, the hint is TLSLAB_HOME (here a file stands in the way, which stops root as well)."""
    (tmp_path / "file").write_text("in the way")
    error = refusal(tmp_path / "file" / "home")
    assert str(tmp_path / "file" / "home") in str(error)
    assert "TLSLAB_HOME" in error.hint


@pytest.mark.parametrize("kind", ["file", "empty folder"])
def test_something_else_in_its_place_is_left_alone(tmp_path, kind, refusal):
    """What the lab did not make it neither uses nor overwrites."""
    place = tmp_path / "pki"
    if kind == "file":
        place.write_text("mine")
    else:
        place.mkdir()
    assert "server-ca.pem" in str(refusal(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["pki"]
