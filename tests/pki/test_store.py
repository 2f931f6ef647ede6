"""HOME/pki: made once, by one of many, read back unchanged, and never trusted when something is wrong with it.

A PKI of the time when alice was the only identity is one of these without its folder `identities`.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import IO

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from tlslab.errors import LabError
from tlslab.pki.authorities import make_authority
from tlslab.pki.export import key_pem
from tlslab.pki.identities import IDENTITIES
from tlslab.pki.store import Pki, open_pki, reset_pki

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OTHERS = [name for name in IDENTITIES if name != "alice"]
FILES = ["alice-key.pem", "alice.p12", "alice.pem", "client-ca-key.pem", "client-ca.pem"]
FILES += ["server-ca-key.pem", "server-ca.pem"]
FILES += [f"identities/{name}{end}" for name in OTHERS for end in ("-key.pem", ".p12", ".pem")]
FILES += [f"identities/{name}" for name in ("intermediate-ca-key.pem", "intermediate-ca.pem", "untrusted-ca.pem")]
FILES += ["identities/revoked.json"]
READ_AT_START = ["server-ca.pem", "server-ca-key.pem", "client-ca.pem", "alice.pem"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that nobody changes."""
    home = tmp_path_factory.mktemp("made")
    open_pki(home, NOW)
    return home


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    """The same home for one test to damage: to make one anew takes ten times as long."""
    return shutil.copytree(made, tmp_path / "copied")


def contents(pki: Pki) -> dict[str, bytes]:
    """Every file of the folder and below, by name."""
    return {path.relative_to(pki.folder).as_posix(): path.read_bytes() for path in files_of(pki.folder)}


def files_of(folder: Path) -> list[Path]:
    """Every file of a folder and below."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def old_pki(home: Path, now: datetime = NOW) -> Pki:
    """A PKI as it was made when alice was the only identity."""
    pki = open_pki(home, now)
    shutil.rmtree(pki.folder / "identities")
    return pki


def refusal(home: Path, now: datetime = NOW) -> LabError:
    """The error of opening this home."""
    with pytest.raises(LabError) as caught:
        open_pki(home, now)
    return caught.value


def test_first_use_makes_everything(tmp_path):
    """A home that does not exist yet ends with the whole folder and nothing beside it."""
    home = tmp_path / "not" / "yet"
    pki = open_pki(home, NOW)
    assert pki.folder == home / "pki"
    assert sorted(contents(pki)) == sorted(FILES)
    assert [path.name for path in home.iterdir()] == ["pki"]
    assert pki.ca_file == pki.folder / "server-ca.pem"


def test_second_use_changes_nothing(tmp_path):
    """Opening again reads the same authorities and touches no file."""
    first = open_pki(tmp_path, NOW)
    before = contents(first), [path.stat().st_mtime_ns for path in files_of(first.folder)]
    second = open_pki(tmp_path, NOW + DAY)
    assert (contents(second), [path.stat().st_mtime_ns for path in files_of(second.folder)]) == before
    assert second.server_authority.certificate == first.server_authority.certificate
    assert second.client_authorities == first.client_authorities


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_only_the_owner_reads_it(tmp_path):
    """The folders are 0700 and each file 0600, made at once or added later."""
    for folder in (
        open_pki(tmp_path / "new", NOW).folder,
        open_pki(old_pki(tmp_path / "old").folder.parent, NOW).folder,
    ):
        assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "identities")} == {0o700}
        assert {stat.S_IMODE(path.stat().st_mode) for path in files_of(folder)} == {0o600}


def test_two_labs_are_told_apart_by_name(tmp_path):
    """In a trust store people see names: those of one lab share a suffix that no other lab has."""
    server, client = authority_names(open_pki(tmp_path / "one", NOW))
    assert server.startswith("CN=tlslab Server CA ")
    assert client.startswith("CN=tlslab Client CA ")
    assert server.split()[-1] == client.split()[-1]
    assert authority_names(open_pki(tmp_path / "two", NOW)) != (server, client)


def authority_names(pki: Pki) -> tuple[str, str]:
    """The subjects of the server's and the client's authority."""
    certificates = pki.server_authority.certificate, pki.client_authorities[0]
    return certificates[0].subject.rfc4514_string(), certificates[1].subject.rfc4514_string()


def test_the_identity_is_what_its_files_hold(tmp_path):
    """alice, as the lab's own client loads her, as PEM and as PKCS#12, is one and the same."""
    pki = open_pki(tmp_path, NOW)
    alice, files = pki.identity("alice"), pki.identities["alice"]
    assert alice.chain[0].subject.rfc4514_string() == "CN=alice"
    assert alice.chain[1:] == pki.client_authorities
    assert alice.key.public_key() == alice.chain[0].public_key()
    assert files.cert_file.is_file()
    assert files.key_file.is_file()
    bundle = pkcs12.load_pkcs12(files.pkcs12_file.read_bytes(), files.pkcs12_password.encode())
    assert bundle.cert is not None
    assert (bundle.cert.certificate, bundle.cert.friendly_name) == (alice.chain[0], b"alice")


@pytest.mark.parametrize("name", IDENTITIES)
def test_every_identity_is_what_its_files_hold(made, name):
    """PEM, key and PKCS#12 of each belong together, and its subject is its name."""
    pki = open_pki(made, NOW)
    identity, files = pki.identity(name), pki.identities[name]
    assert identity.chain[0].subject.rfc4514_string() == ("CN=leaf-only" if name == "full-chain" else f"CN={name}")
    bundle = pkcs12.load_pkcs12(files.pkcs12_file.read_bytes(), files.pkcs12_password.encode())
    assert bundle.cert is not None
    assert (bundle.cert.certificate, bundle.cert.friendly_name) == (identity.chain[0], name.encode())
    assert [other.certificate for other in bundle.additional_certs] == list(identity.chain[1:])


@pytest.mark.parametrize("upgraded", [False, True])
def test_the_faults_last_as_long_as_the_pki(tmp_path, upgraded):
    """From the first moment at which a lab starts with it to the last, and also where the identities came later."""
    pki = old_pki(tmp_path) if upgraded else open_pki(tmp_path, NOW)
    pki = open_pki(tmp_path, NOW + 400 * DAY)
    ca = pki.client_authorities[0]
    first, last = ca.not_valid_before_utc, ca.not_valid_after_utc - 30 * DAY
    assert pki.identity("expired").chain[0].not_valid_after_utc < first
    assert pki.identity("not-yet-valid").chain[0].not_valid_before_utc > last
    assert pki.identity("not-yet-valid").chain[0].not_valid_after_utc <= ca.not_valid_after_utc


def test_who_issued_whom(tmp_path):
    """The untrusted authority is no part of the trusted chain, the intermediate is, and leaf-only withholds it."""
    pki = open_pki(tmp_path, NOW)
    ca = pki.client_authorities[0]
    for name in ("expired", "not-yet-valid", "wrong-eku", "revoked"):
        assert pki.identity(name).chain[1:] == (ca,)
    stranger = pki.identity("wrong-ca").chain[1]
    assert stranger.subject.rfc4514_string().startswith("CN=tlslab Untrusted CA ")
    assert stranger.issuer == stranger.subject != ca.subject
    leaf, full = pki.identity("leaf-only"), pki.identity("full-chain")
    assert (leaf.chain, leaf.key.public_key()) == (full.chain[:1], full.key.public_key())
    assert full.chain[1].issuer == ca.subject
    assert full.chain[2] == ca
    purposes = pki.identity("wrong-eku").chain[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_the_list_of_revoked_certificates(tmp_path):
    """It names the serial of `revoked` and its issuer, which is all that a revocation list needs."""
    pki = open_pki(tmp_path, NOW)
    (entry,) = pki.revocations()
    certificate = pki.identity("revoked").chain[0]
    assert (entry.identity, entry.serial, entry.since) == ("revoked", certificate.serial_number, NOW)
    assert entry.issuer == pki.client_authorities[0].subject.rfc4514_string()
    (pki.folder / "identities" / "revoked.json").write_text("[1]")
    with pytest.raises(LabError, match=r"revoked\.json is damaged"):
        pki.revocations()


# --- PKIs of before ---------------------------------------------------------------------------------------------


def test_an_old_pki_gets_what_it_lacks(tmp_path):
    """Its authorities and alice stay as they are, to the byte; the other identities are added, once."""
    old = old_pki(tmp_path)
    before = contents(old)
    first = contents(open_pki(tmp_path, NOW + DAY))
    assert sorted(first) == sorted(FILES)
    assert {name: first[name] for name in before} == before
    assert contents(open_pki(tmp_path, NOW + 2 * DAY)) == first
    assert [path.name for path in tmp_path.iterdir()] == ["pki"]


def test_adding_needs_the_authority_that_is_there(tmp_path):
    """Without its key nothing is added and nothing is remade: the file is named."""
    old = old_pki(tmp_path)
    (old.folder / "client-ca-key.pem").unlink()
    assert "client-ca-key.pem cannot be read" in str(refusal(tmp_path))
    assert sorted(contents(old)) == sorted(name for name in FILES[:7] if name != "client-ca-key.pem")


def test_threads_that_add_at_once_agree(tmp_path):
    """Of eight starts with an old PKI one adds the identities and all read those; no draft is left behind."""
    old = old_pki(tmp_path)
    barrier = Barrier(8)

    def start(_: int) -> Pki:
        barrier.wait(timeout=10)
        return open_pki(tmp_path, NOW)

    with ThreadPoolExecutor(8) as pool:
        labs = list(pool.map(start, range(8)))
    for name in IDENTITIES:
        assert len({lab.identity(name).chain for lab in labs}) == 1
    assert sorted(contents(old)) == sorted(FILES)
    assert {path.name for path in old.folder.iterdir() if path.is_dir()} == {"identities"}


@pytest.mark.parametrize("name", ["expired.pem", "leaf-only-key.pem", "revoked.p12"])
def test_a_missing_file_is_never_remade_silently(tmp_path, name):
    """It is named, with the least that mends it: that folder goes, the authorities stay."""
    pki = open_pki(tmp_path, NOW)
    (pki.folder / "identities" / name).unlink()
    error = refusal(tmp_path)
    assert f"{name} is missing" in str(error)
    assert f"delete the folder {pki.folder / 'identities'} and start again" in error.hint
    shutil.rmtree(pki.folder / "identities")
    assert open_pki(tmp_path, NOW).client_authorities == pki.client_authorities


@pytest.mark.parametrize("name", OTHERS)
def test_a_swapped_identity_is_noticed_when_it_is_needed(copied, tmp_path, name):
    """A file of another lab is whole, and would show another fault than the one it is there for."""
    path = open_pki(copied, NOW).identities[name].cert_file
    path.write_bytes(open_pki(tmp_path / "other", NOW).identities[name].cert_file.read_bytes())
    with pytest.raises(LabError, match=path.name):
        open_pki(copied, NOW).identity(name)


# --- a new one --------------------------------------------------------------------------------------------------


def test_a_reset_moves_the_old_one_aside(tmp_path):
    """The old files are all there, under a name with the time; the new ones are others throughout."""
    old = contents(open_pki(tmp_path, NOW))
    aside = reset_pki(tmp_path, NOW)
    assert aside == tmp_path / "pki-until-20260301-120000"
    assert aside is not None
    new = open_pki(tmp_path, NOW)
    assert {path.relative_to(aside).as_posix(): path.read_bytes() for path in files_of(aside)} == old
    assert sorted(contents(new)) == sorted(old)
    assert not set(contents(new).values()) & set(old.values())
    assert reset_pki(tmp_path, NOW) == tmp_path / "pki-until-20260301-120000-2"
    assert len(list(tmp_path.iterdir())) == 3


def test_a_reset_needs_nothing_of_the_old_one(tmp_path):
    """Not even that there is one, or that it can be read."""
    assert reset_pki(tmp_path, NOW) is None
    pki = open_pki(tmp_path, NOW)
    pki.ca_file.write_text("damaged")
    assert reset_pki(tmp_path, NOW) is not None
    open_pki(tmp_path, NOW)


def test_a_reset_that_fails_changes_nothing(tmp_path):
    """Where the new one cannot be written, the old one is still in its place."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LabError, match="cannot keep"):
        reset_pki(tmp_path / "file" / "home", NOW)


# --- what is wrong with it --------------------------------------------------------------------------------------


def test_an_unknown_identity_is_a_lab_error(tmp_path):
    """The error's hint names the identities there are."""
    with pytest.raises(LabError, match="bob") as caught:
        open_pki(tmp_path, NOW).identity("bob")
    assert "alice" in caught.value.hint


def test_a_server_certificate_is_new_each_time_and_never_stored(tmp_path):
    """Two starts get two certificates of the same authority, and the folder stays as it was."""
    pki = open_pki(tmp_path, NOW)
    before = contents(pki)
    one, two = pki.server_credential(["lab.example"]), pki.server_credential(["lab.example"])
    one.chain[0].verify_directly_issued_by(pki.server_authority.certificate)
    assert one.key.public_key() != two.key.public_key()
    assert contents(pki) == before


def test_threads_that_start_at_once_agree(tmp_path):
    """Of eight first uses at the same moment one makes the folder and all read it; no draft is left behind."""
    barrier = Barrier(8)

    def start(_: int) -> Pki:
        barrier.wait(timeout=10)
        return open_pki(tmp_path, NOW)

    with ThreadPoolExecutor(8) as pool:
        labs = list(pool.map(start, range(8)))
    assert len({lab.server_authority.certificate for lab in labs}) == 1
    assert labs[0].identity("alice").chain == labs[7].identity("alice").chain
    assert [path.name for path in tmp_path.iterdir()] == ["pki"]


def pipes_of(program: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    """Its standard input and output, both of which were asked for."""
    assert program.stdin is not None
    assert program.stdout is not None
    return program.stdin, program.stdout


def test_processes_that_start_at_once_agree(tmp_path):
    """The same for two programs, which wait until both are ready."""
    program = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from tlslab.pki.store import open_pki\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "pki = open_pki(Path(sys.argv[1]), datetime(2026, 3, 1, tzinfo=UTC)); pki.identity('alice')\n"
        "print(pki.server_authority.certificate.serial_number)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    path = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {"PYTHONPATH": path}
    pipe = subprocess.PIPE
    labs = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) for _ in range(2)]
    pipes = [pipes_of(lab) for lab in labs]
    assert [from_it.readline() for _, from_it in pipes] == ["ready\n", "ready\n"]
    for to_it, _ in pipes:
        to_it.write("go\n")
        to_it.flush()
    said = {lab.communicate(timeout=30)[0] for lab in labs}
    assert [lab.returncode for lab in labs] == [0, 0]
    assert len(said) == 1


@pytest.mark.parametrize("name", READ_AT_START)
def test_a_damaged_file_is_named(copied, name):
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
def test_an_empty_foreign_or_missing_file_is_named(copied, name, content):
    """Whatever stands in a file's place, the error names the file."""
    path = open_pki(copied, NOW).folder / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert str(path) in str(refusal(copied))


def test_a_damaged_identity_key_is_noticed_when_it_is_needed(tmp_path):
    """A start does not read alice's key; her first use by the lab's own client does, and names the file."""
    pki = open_pki(tmp_path, NOW)
    path = pki.identities["alice"].key_file
    path.write_bytes(b"nothing")
    with pytest.raises(LabError, match=r"alice-key\.pem"):
        open_pki(tmp_path, NOW).identity("alice")


def test_an_identity_of_another_authority_is_refused(tmp_path):
    """A certificate copied from another lab is whole, and still none of this lab's."""
    path, other = (
        open_pki(tmp_path / "one", NOW).folder / "alice.pem",
        open_pki(tmp_path / "two", NOW).folder / "alice.pem",
    )
    path.write_bytes(other.read_bytes())
    assert "alice.pem does not hold" in str(refusal(tmp_path / "one"))


def test_a_key_of_another_certificate_is_refused(tmp_path):
    """A good key in the wrong place would only show as a broken handshake: the lab says it first."""
    path = open_pki(tmp_path, NOW).folder / "server-ca-key.pem"
    path.write_bytes(key_pem(make_authority("another", NOW).key))
    assert "not the key of the certificate" in str(refusal(tmp_path))


def test_certificates_near_their_end_are_refused(tmp_path):
    """The identity holds to its last day; an authority is refused from 30 days before its own."""
    pki = open_pki(tmp_path, NOW)
    ends = pki.identity("alice").chain[0].not_valid_after_utc
    open_pki(tmp_path, ends)
    assert "alice.pem is too old" in str(refusal(tmp_path, ends + DAY))
    last = pki.server_authority.certificate.not_valid_after_utc
    assert "server-ca.pem is too old" in str(refusal(tmp_path, last - 29 * DAY))


def test_certificates_of_the_future_are_refused(tmp_path):
    """A clock that went back by years is the likelier fault, and the error says so."""
    open_pki(tmp_path, NOW)
    assert "clock" in str(refusal(tmp_path, NOW - 2 * DAY))


def test_an_unwritable_home_names_the_variable(tmp_path):
    """Where nothing can be made, the hint is TLSLAB_HOME (here a file stands in the way, which stops root as well)."""
    (tmp_path / "file").write_text("in the way")
    error = refusal(tmp_path / "file" / "home")
    assert str(tmp_path / "file" / "home") in str(error)
    assert "TLSLAB_HOME" in error.hint


@pytest.mark.parametrize("kind", ["file", "empty folder"])
def test_something_else_in_its_place_is_left_alone(tmp_path, kind):
    """What the lab did not make it neither uses nor overwrites."""
    place = tmp_path / "pki"
    if kind == "file":
        place.write_text("mine")
    else:
        place.mkdir()
    assert "server-ca.pem" in str(refusal(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["pki"]
