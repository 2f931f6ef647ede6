"""HOME/pki: made once, by one of many, read back unchanged, and made anew when that is wanted.

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


def test_first_use_makes_everything(tmp_path):
    """A home that does not exist yet ends with the whole folder and nothing beside it."""
    home = tmp_path / "not" / "yet"
    pki = open_pki(home, NOW)
    assert pki.folder == home / "pki"
    assert sorted(contents(pki)) == sorted(FILES)
    assert [path.name for path in home.iterdir()] == ["pki"]
    assert pki.ca_file == pki.folder / "server-ca.pem"


def test_second_use_changes_nothing(copied):
    """Opening again reads the same authorities and touches no file."""
    first = open_pki(copied, NOW)
    before = contents(first), [path.stat().st_mtime_ns for path in files_of(first.folder)]
    second = open_pki(copied, NOW + DAY)
    assert (contents(second), [path.stat().st_mtime_ns for path in files_of(second.folder)]) == before
    assert second.server_authority.certificate == first.server_authority.certificate
    assert second.client_authorities == first.client_authorities


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_only_the_owner_reads_it(tmp_path):
    """The folders are 0700 and each file 0600, made at once or added later, the home too, whatever the umask."""
    before = os.umask(0)
    try:
        home = open_pki(tmp_path / "some" / "home", NOW).folder.parent
    finally:
        os.umask(before)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
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


def test_the_identity_is_what_its_files_hold(copied):
    """alice, as the lab's own client loads her, as PEM and as PKCS#12, is one and the same."""
    pki = open_pki(copied, NOW)
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
def test_the_faults_last_as_long_as_the_pki(copied, upgraded):
    """From the first moment at which a lab starts with it to the last, and also where the identities came later."""
    pki = old_pki(copied) if upgraded else open_pki(copied, NOW)
    pki = open_pki(copied, NOW + 400 * DAY)
    ca = pki.client_authorities[0]
    first, last = ca.not_valid_before_utc, ca.not_valid_after_utc - 30 * DAY
    assert pki.identity("expired").chain[0].not_valid_after_utc < first
    assert pki.identity("not-yet-valid").chain[0].not_valid_before_utc > last
    assert pki.identity("not-yet-valid").chain[0].not_valid_after_utc <= ca.not_valid_after_utc


def test_who_issued_whom(copied):
    """The untrusted authority is no part of the trusted chain, the intermediate is, and leaf-only withholds it."""
    pki = open_pki(copied, NOW)
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


def test_the_list_of_revoked_certificates(copied):
    """It names the serial of `revoked` and its issuer, which is all that a revocation list needs."""
    pki = open_pki(copied, NOW)
    (entry,) = pki.revocations()
    certificate = pki.identity("revoked").chain[0]
    assert (entry.identity, entry.serial, entry.since) == ("revoked", certificate.serial_number, NOW)
    assert entry.issuer == pki.client_authorities[0].subject.rfc4514_string()
    (pki.folder / "identities" / "revoked.json").write_text("[1]")
    with pytest.raises(LabError, match=r"revoked\.json is damaged"):
        pki.revocations()


def test_a_server_certificate_is_new_each_time_and_never_stored(copied):
    """Two starts get two certificates of the same authority, and the folder stays as it was."""
    pki = open_pki(copied, NOW)
    before = contents(pki)
    one, two = pki.server_credential(["lab.example"]), pki.server_credential(["lab.example"])
    one.chain[0].verify_directly_issued_by(pki.server_authority.certificate)
    assert one.key.public_key() != two.key.public_key()
    assert contents(pki) == before


def opened_at_once(home: Path) -> list[Pki]:
    """Open one PKI in eight threads at the same moment."""
    barrier = Barrier(8)

    def start(_: int) -> Pki:
        barrier.wait(timeout=10)
        return open_pki(home, NOW)

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(start, range(8)))


def test_threads_that_start_at_once_agree(tmp_path):
    """Of eight first uses at the same moment one makes the folder and all read it; no draft is left behind."""
    labs = opened_at_once(tmp_path)
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


# --- PKIs of before ---------------------------------------------------------------------------------------------


def test_an_old_pki_gets_what_it_lacks(copied):
    """Its authorities and alice stay as they are, to the byte; the other identities are added, once."""
    old = old_pki(copied)
    before = contents(old)
    first = contents(open_pki(copied, NOW + DAY))
    assert sorted(first) == sorted(FILES)
    assert {name: first[name] for name in before} == before
    assert contents(open_pki(copied, NOW + 2 * DAY)) == first
    assert [path.name for path in copied.iterdir()] == ["pki"]


def test_adding_needs_the_authority_that_is_there(copied, refusal):
    """Without its key nothing is added and nothing is remade: the file is named."""
    old = old_pki(copied)
    (old.folder / "client-ca-key.pem").unlink()
    assert "client-ca-key.pem cannot be read" in str(refusal(copied))
    assert sorted(contents(old)) == sorted(name for name in FILES[:7] if name != "client-ca-key.pem")


def test_threads_that_add_at_once_agree(copied):
    """Of eight starts with an old PKI one adds the identities and all read those; no draft is left behind."""
    old = old_pki(copied)
    labs = opened_at_once(copied)
    for name in IDENTITIES:
        assert len({lab.identity(name).chain for lab in labs}) == 1
    assert sorted(contents(old)) == sorted(FILES)
    assert {path.name for path in old.folder.iterdir() if path.is_dir()} == {"identities"}


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
