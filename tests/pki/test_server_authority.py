"""The authority that people let their browsers trust: how far it goes, how long, and how it is made anew."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from tlslab.errors import UsageProblem
from tlslab.pki import authorities
from tlslab.pki.authorities import Authority, Credential, make_authority, make_server_authority, server_credential
from tlslab.pki.export import certificates_pem, key_pem
from tlslab.pki.files import clear_drafts, draft
from tlslab.pki.names import LOOPBACK, RESERVED
from tlslab.pki.store import Pki, open_pki

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    """One that also vouches for what somebody asked for."""
    return make_server_authority("tlslab Test CA", NOW, ["winlab", "lab.corp.com", "192.0.2.10", "2001:db8::10"])


def accepts(authority: Authority, credential: Credential, host: str) -> bool:
    """Whether a client that trusts this authority alone accepts a server."""
    try:
        subject: x509.DNSName | x509.IPAddress = x509.IPAddress(ip_address(host))
    except ValueError:
        subject = x509.DNSName(host)
    rules = verification.PolicyBuilder().store(verification.Store([authority.certificate])).time(NOW)
    leaf, *others = credential.chain
    try:
        rules.build_server_verifier(subject).verify(leaf, others)
    except verification.VerificationError:
        return False
    return True


WITHIN = [
    "app.localhost",
    "lab.test",
    "a.b.example",
    "winlab",
    "x.lab.corp.com",
    "127.9.9.9",
    "192.0.2.10",
    "2001:db8::10",
]
OUTSIDE = ["www.bank.com", "corp.com", "notwinlab", "192.0.2.11", "2001:db8::11", "10.0.0.1", "::2"]


@pytest.mark.parametrize("name", [*WITHIN, *OUTSIDE])
def test_how_far_it_goes(authority, name):
    """A key that got about is good for these names and no others: a certificate with any other is refused whole."""
    credential = server_credential(authority, [name], NOW)
    assert accepts(authority, credential, name) is accepts(authority, credential, "localhost") is (name in WITHIN)
    unlimited = make_authority("tlslab Test CA", NOW)
    assert accepts(unlimited, server_credential(unlimited, [name], NOW), name)


def test_what_it_says_of_itself(authority):
    """A year, RSA, servers alone, no authority below it, and limits that are critical."""
    certificate = authority.certificate
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    assert certificate.extensions.get_extension_for_class(x509.NameConstraints).critical
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert certificate.not_valid_after_utc == NOW + 365 * DAY
    assert isinstance(certificate.public_key(), rsa.RSAPublicKey)


def test_rsa_all_the_way_up(made):
    """The certificate of `server-rsa`, and every signature above it; that of `server` has a P-256 key as before."""
    pki = open_pki(made, NOW)
    for certificate in (pki.server_credential([], "server-rsa").chain[0], pki.server_authority.certificate):
        assert certificate.signature_algorithm_oid._name == "sha256WithRSAEncryption"
        assert isinstance(certificate.public_key(), rsa.RSAPublicKey)
    assert not isinstance(pki.server_credential([]).chain[0].public_key(), rsa.RSAPublicKey)


def state(pki: Pki) -> dict[str, bytes]:
    """Every file of the folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(pki.folder.rglob("*")) if path.is_file()}


SERVER_FILES = {"server-ca.pem", "server-ca-key.pem"}


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    """The names of files that are not what they were."""
    return {name for name in before | after if before.get(name) != after.get(name)}


def test_it_is_made_anew_before_its_end(copied):
    """From 30 days before, and once; the old key is gone, everything else stays, and somebody says so."""
    before = open_pki(copied, NOW)
    files, end = state(before), before.server_authority.certificate.not_valid_after_utc
    early = open_pki(copied, end - 31 * DAY)
    assert (changed(files, state(early)), early.server.news) == (set(), [])
    late = open_pki(copied, end - 29 * DAY)
    assert changed(files, state(late)) == SERVER_FILES
    (news,) = late.server.news
    assert f"ends on {end:%Y-%m-%d}, so a new one was made, for a year" in news
    assert f"{late.ca_file} need nothing" in news
    assert "Where it was copied or imported" in news
    assert late.server_authority.certificate.not_valid_after_utc == end - 29 * DAY + 365 * DAY
    assert late.server_authority.certificate.subject != before.server_authority.certificate.subject
    assert (late.folder / "server-ca-key.pem").read_bytes() == key_pem(late.server_authority.key)
    again = open_pki(copied, end - 28 * DAY)
    assert (state(again), again.server.news) == (state(late), [])
    assert open_pki(copied, end + 400 * DAY).server.news  # long after its end, too


def test_it_is_made_anew_for_a_name(copied):
    """A name that it may not vouch for makes a new one, which remembers it; one within its limits does not."""
    pki = open_pki(copied, NOW + DAY)
    files = state(pki)
    pki.server_credential(["shop.localhost", "lab.example", "127.0.0.9"])
    assert (state(pki), pki.server.news, pki.server.added) == (files, [], [])
    credential = pki.server_credential(["winlab", "192.0.2.10", "lab.example"])
    assert accepts(pki.server_authority, credential, "winlab")
    assert changed(files, state(pki)) == SERVER_FILES
    (news,) = pki.server.news
    assert "could not vouch for winlab, 192.0.2.10, so one was made that can" in news
    later = open_pki(copied, NOW + 2 * DAY)
    assert later.server.added == ["winlab", "192.0.2.10"]
    later.server_credential(["x.winlab", "192.0.2.10"])
    assert later.server.news == []
    later.server_credential(["2001:db8::1"])
    assert open_pki(copied, NOW + 500 * DAY).server.added == ["winlab", "192.0.2.10", "2001:db8::1"]


def test_a_first_start_with_a_name_has_no_news(tmp_path):
    """Nobody has imported what was made a moment ago."""
    pki = open_pki(tmp_path, NOW)
    credential = pki.server_credential(["winlab"])
    assert accepts(pki.server_authority, credential, "winlab")
    assert pki.server.news == []


def test_a_bad_name_changes_nothing(copied):
    """It is refused before anything is made."""
    pki = open_pki(copied, NOW)
    files = state(pki)
    with pytest.raises(UsageProblem, match="neither a host name"):
        pki.server_credential(["winlab", "not a name"])
    assert state(pki) == files


def test_on_request(copied):
    """For this machine's own names alone, whatever the old one had."""
    pki = open_pki(copied, NOW)
    pki.server_credential(["winlab"])
    files = state(pki)
    pki.server.remake()
    assert changed(files, state(pki)) == SERVER_FILES
    assert pki.server.added == []


def an_old_one(home: Path) -> Pki:
    """A PKI as labs made it before: an authority for ten years, without limits, with a P-256 key."""
    folder = open_pki(home, NOW).folder
    old = make_authority("tlslab Server CA 01234567", NOW)
    (folder / "server-ca.pem").write_bytes(certificates_pem([old.certificate]))
    (folder / "server-ca-key.pem").write_bytes(key_pem(old.key))
    return open_pki(home, NOW)


def test_one_of_an_older_lab_goes_on(copied):
    """It works for any name and nothing is changed unasked; on request there is one with limits."""
    pki = an_old_one(copied)
    files = state(pki)
    assert accepts(pki.server_authority, pki.server_credential(["www.bank.com"]), "www.bank.com")
    later = open_pki(copied, NOW + 800 * DAY)
    assert (state(later), later.server.news, later.server.vouches_for) == (files, [], None)
    later.server.remake()
    assert later.server.vouches_for == [*RESERVED, *LOOPBACK]
    assert later.server_authority.certificate.subject.rfc4514_string() == "CN=tlslab Server CA 01234567-2"


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_a_lab_that_is_killed_at_it(copied, monkeypatch, steps):
    """Whatever was renamed already, the next start finds an authority and its key, the old or the new ones."""
    pki = open_pki(copied, NOW)
    really = os.replace
    done: list[Path] = []

    def replace_some(source, target):
        if len(done) == steps:
            raise SystemExit
        done.append(target)
        really(source, target)

    with monkeypatch.context() as patched, contextlib.suppress(SystemExit):
        patched.setattr(os, "replace", replace_some)
        pki.server.remake()
    assert len(done) == steps
    again = open_pki(copied, NOW)
    assert again.server_authority.key.public_key() == again.server_authority.certificate.public_key()
    assert (again.server_authority.certificate == pki.server_authority.certificate) is (steps in (0, 1, 3))
    assert again.server_credential(["winlab"])
    assert (again.folder / "server-ca-key.pem").read_bytes() == key_pem(again.server_authority.key)


def test_several_at_once(copied):
    """Of eight starts that want a name each, all get theirs, one after the other, and none is lost."""
    pkis = [open_pki(copied, NOW) for _ in range(8)]

    def want(number: int) -> bool:
        name = f"host{number}"
        credential = pkis[number].server_credential([name])
        return accepts(pkis[number].server_authority, credential, name)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(want, range(8)))
    last = open_pki(copied, NOW)
    assert sorted(last.server.added) == [f"host{number}" for number in range(8)]
    assert {path.name for path in last.folder.iterdir() if path.name.startswith(".")} == set()


# --- what a lab that was killed leaves --------------------------------------------------------------------------

posix = pytest.mark.skipif(os.name != "posix", reason="there are no locks on folders")
MAKING = """
import sys
from tlslab.cli import main
from tlslab.pki import files
def stop(path, content, really=files.write_private):
    really(path, content)
    if path.name == "alice-key.pem":
        print("writing", flush=True); sys.stdin.readline()
files.write_private = stop
main(["pki", "show"])
"""


def maker(home: Path) -> subprocess.Popen[str]:
    """A lab in a process of its own that has written keys, and is not done."""
    path = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {"PYTHONPATH": path, "TLSLAB_HOME": str(home)}
    command, pipe = [sys.executable, "-c", MAKING], subprocess.PIPE
    process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


@posix
@pytest.mark.parametrize(("by", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_lab_that_is_ended_at_it(tmp_path, by, code):
    """Ctrl-C and SIGTERM leave no key behind."""
    with maker(tmp_path) as process:
        assert len(list(tmp_path.rglob("alice-key.pem"))) == 1
        process.send_signal(by)
        process.communicate(timeout=30)
    assert (process.returncode, list(tmp_path.iterdir())) == (code, [])


@posix
def test_drafts_of_the_dead_are_cleared_away(tmp_path):
    """The keys of a lab that was killed are gone with the next start; those of one that is at work are not touched."""
    makers = [maker(tmp_path), maker(tmp_path)]
    try:
        assert len(list(tmp_path.rglob("alice-key.pem"))) == 2
        makers[0].kill()
        makers[0].wait()
        open_pki(tmp_path, datetime.now(UTC))
        left = [path.name for path in tmp_path.iterdir() if path.name != "pki"]
        assert len(left) == 1
        makers[1].communicate("go on\n", timeout=30)
        assert makers[1].returncode == 0
    finally:
        for process in makers:
            process.kill()
            process.communicate()
    assert [path.name for path in tmp_path.iterdir()] == ["pki"]


@posix
def test_nothing_else_is_cleared_away(tmp_path):
    """Neither what has another name, nor a file or a link of that name, nor a draft that somebody is writing."""
    (tmp_path / ".pki-mine").mkdir()
    (tmp_path / "target").mkdir()
    (tmp_path / ".tlslab-draft-file").touch()
    (tmp_path / ".tlslab-draft-link").symlink_to(tmp_path / "target")
    (tmp_path / ".tlslab-draft-left").mkdir()
    with draft(tmp_path, {"a": b"1"}) as place:
        clear_drafts(tmp_path)
        assert (place / "a").read_bytes() == b"1"
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {".pki-mine", "target", ".tlslab-draft-file", ".tlslab-draft-link", place.name}
    clear_drafts(tmp_path / "nowhere")


def test_without_locks_drafts_stay(tmp_path, monkeypatch):
    """As on Windows, and on network drives that have none: a draft may be somebody's work, and one is still made."""
    monkeypatch.setattr(sys, "platform", "win32")
    (tmp_path / ".tlslab-draft-left").mkdir()
    assert open_pki(tmp_path, NOW).server_credential(["winlab"])
    assert {path.name for path in tmp_path.iterdir()} == {"pki", ".tlslab-draft-left"}
    shutil.rmtree(tmp_path / "pki")
    assert authorities.SERVER_AUTHORITY_VALIDITY == 366 * DAY
