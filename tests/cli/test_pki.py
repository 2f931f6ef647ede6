"""`tlslab pki`: what there is, copies of it for other programs, and a new one."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from tlslab.cli import main
from tlslab.pki.authorities import make_authority
from tlslab.pki.export import certificates_pem, key_pem
from tlslab.pki.identities import IDENTITIES
from tlslab.pki.store import open_pki

STATUSES = {
    "alice": "200",
    "expired": "403.17",
    "not-yet-valid": "403.17",
    "wrong-ca": "403.16",
    "wrong-eku": "403.16",
    "revoked": "200",
    "leaf-only": "403.16",
    "full-chain": "200",
}


def pki_of(home: Path):
    """The PKI that is there."""
    return open_pki(home, datetime.now(UTC))


# --- show -------------------------------------------------------------------------------------------------------


def test_show_as_json(run, home):
    """Each identity with its status, dates and files; the fingerprints are those of the files."""
    told = json.loads(run("pki", "show", "--json").output)
    assert {name: entry["status"] for name, entry in told["identities"].items()} == STATUSES
    undocumented = {name for name, entry in told["identities"].items() if not entry["status_is_documented"]}
    assert undocumented == {"wrong-eku", "leaf-only"}
    assert told["folder"] == str(home / "pki")
    for entry in (told["server_authority"], told["client_authority"], *told["identities"].values()):
        certificate = x509.load_pem_x509_certificate(Path(entry["cert_file"]).read_bytes())
        assert entry["fingerprint_sha256"] == certificate.fingerprint(hashes.SHA256()).hex()
        assert entry["fingerprint_sha1"] == certificate.fingerprint(hashes.SHA1()).hex()
        assert entry["not_after"] == certificate.not_valid_after_utc.isoformat()
        assert int(entry["serial"], 16) == certificate.serial_number
    for entry in told["identities"].values():
        assert Path(entry["key_file"]).is_file()
        assert Path(entry["pkcs12_file"]).is_file()
    (revoked,) = told["revoked"]
    assert revoked["serial"] == told["identities"]["revoked"]["serial"]
    assert revoked["issuer"] == told["client_authority"]["subject"]


def test_show_to_people(run, home):
    """The same in words: every identity with its status and purpose, every file, what Windows calls a thumbprint."""
    text = run("pki", "show").output
    for name, kind in IDENTITIES.items():
        assert re.search(rf"^  {name} +{STATUSES[name]} +{re.escape(kind.purpose)}$", text, re.MULTILINE)
        assert str(pki_of(home).identities[name].cert_file) in text
    assert "The status of wrong-eku and leaf-only is an assumption: no document names it." in " ".join(text.split())
    for words in ("server-ca.pem", "client-ca.pem", "SHA-256 ", "SHA-1 ", "thumbprint", "Revoked since", "pki export"):
        assert words in text


def test_show_makes_it_on_first_use(run, tmp_path):
    """Like every command that needs it."""
    assert run("pki", "show", TLSLAB_HOME=str(tmp_path / "new")).exit_code == 0
    assert (tmp_path / "new" / "pki" / "alice.p12").is_file()


# --- export -----------------------------------------------------------------------------------------------------


def test_export_of_everything(run, tmp_path):
    """Every identity as PEM and as PKCS#12, and the authority to trust."""
    result = run("pki", "export", str(tmp_path / "out"))
    ends = (".pem", "-key.pem", ".p12", "-leaf-and-key.pem", "-chain.pem")
    wanted = {f"{name}{end}" for name in IDENTITIES for end in ends} - {"leaf-only-chain.pem"} | {"server-ca.pem"}
    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == wanted
    assert "What trusting it risks" in " ".join(result.output.split())
    assert "The lab changed no trust store" in result.output


@pytest.mark.parametrize(
    ("form", "files"),
    [
        ("pem", {"alice.pem", "alice-key.pem"}),
        ("apart", {"alice-leaf-and-key.pem", "alice-chain.pem"}),
        ("p12", {"alice.p12"}),
        ("p12-legacy", {"alice-legacy.p12"}),
    ],
)
def test_export_of_one(run, home, tmp_path, form, files):
    """One identity in one format; what is written is the identity."""
    result = run("pki", "export", str(tmp_path), "--identity", "alice", "--format", form)
    assert result.exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == files | {"server-ca.pem"}
    alice = pki_of(home).identity("alice")
    assert (tmp_path / "server-ca.pem").read_bytes() == pki_of(home).ca_file.read_bytes()
    if form == "pem":
        assert tuple(x509.load_pem_x509_certificates((tmp_path / "alice.pem").read_bytes())) == alice.chain
        key = load_pem_private_key((tmp_path / "alice-key.pem").read_bytes(), None)
    elif form == "apart":
        content = (tmp_path / "alice-leaf-and-key.pem").read_bytes()
        assert x509.load_pem_x509_certificates(content) == [alice.chain[0]]
        assert x509.load_pem_x509_certificates((tmp_path / "alice-chain.pem").read_bytes()) == list(alice.chain[1:])
        key = load_pem_private_key(content[content.index(b"-----BEGIN PRIVATE") :], None)
    else:
        bundle = pkcs12.load_pkcs12((tmp_path / files.copy().pop()).read_bytes(), b"tlslab")
        assert bundle.cert is not None
        assert bundle.cert.certificate == alice.chain[0]
        assert bundle.key is not None
        key = bundle.key
    assert key.public_key() == alice.key.public_key()


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_keys_are_for_their_owner(run, tmp_path):
    """Whatever the umask, also where a file was there that everybody could read."""
    (tmp_path / "alice-key.pem").write_text("old")
    (tmp_path / "alice-key.pem").chmod(0o644)
    run("pki", "export", str(tmp_path), "--force")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_nothing_is_overwritten_unasked(run, tmp_path):
    """One file in the way, and none is written; --force replaces it and leaves nothing else behind."""
    (tmp_path / "alice.p12").write_text("mine")
    result = run("pki", "export", str(tmp_path), "--identity", "alice")
    assert (result.exit_code, "has alice.p12 already" in result.output) == (2, True)
    assert "--force" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["alice.p12"]
    assert (tmp_path / "alice.p12").read_text() == "mine"
    assert run("pki", "export", str(tmp_path), "--identity", "alice", "--force").exit_code == 0
    ends = {"alice.pem", "alice-key.pem", "alice.p12", "alice-leaf-and-key.pem", "alice-chain.pem", "server-ca.pem"}
    assert {path.name for path in tmp_path.iterdir()} == ends


def test_a_folder_that_cannot_be_written(run, tmp_path):
    """A file in its place is one clear line."""
    (tmp_path / "file").touch()
    result = run("pki", "export", str(tmp_path / "file"))
    assert (result.exit_code, "cannot write to" in result.output) == (1, True)
    (tmp_path / "alice.pem").mkdir()
    result = run("pki", "export", str(tmp_path), "--force")
    assert (result.exit_code, "cannot write to" in result.output) == (1, True)


@pytest.mark.parametrize(
    "words", [("export",), ("export", "x", "--identity", "bob"), ("export", "x", "--format", "der"), ("shw",)]
)
def test_what_is_not_understood(run, words):
    """Exit code 2, and what would be right."""
    assert run("pki", *words).exit_code == 2


# --- reset ------------------------------------------------------------------------------------------------------


def reset(home: Path, *words: str, answer: str = ""):
    """Reset, with this on standard input."""
    runner = CliRunner(env={"TLSLAB_HOME": str(home), "COLUMNS": "200"})
    return runner.invoke(main, ["pki", "reset", *words], input=answer, prog_name="tlslab")


@pytest.mark.parametrize(("words", "answer"), [(("--yes",), ""), ((), "yes\n"), ((), "Y\n")])
def test_a_reset(tmp_path, words, answer):
    """There is a new PKI, and the old one is where the command says."""
    old = pki_of(tmp_path).server_authority.certificate
    result = reset(tmp_path, *words, answer=answer)
    assert result.exit_code == 0, result.output
    assert pki_of(tmp_path).server_authority.certificate != old
    (aside,) = (path for path in tmp_path.iterdir() if path.name != "pki")
    assert str(aside) in result.output
    assert x509.load_pem_x509_certificate((aside / "server-ca.pem").read_bytes()) == old


@pytest.mark.parametrize("answer", ["", "no\n", "\n", "x"])
def test_a_reset_that_nobody_wants(tmp_path, answer):
    """Without a yes nothing changes, and the exit code says so."""
    old = pki_of(tmp_path).server_authority.certificate
    result = reset(tmp_path, answer=answer)
    assert (result.exit_code, "nothing was changed" in result.output) == (1, True)
    assert pki_of(tmp_path).server_authority.certificate == old


def test_a_reset_mends_what_is_broken(tmp_path):
    """It reads nothing of the old PKI, which is the reason that one resets it."""
    pki_of(tmp_path).ca_file.write_text("damaged")
    assert reset(tmp_path, "--yes").exit_code == 0
    pki_of(tmp_path)


def test_a_first_reset(tmp_path):
    """Where there is none, one is made."""
    result = reset(tmp_path / "home", "--yes")
    assert (result.exit_code, "moved to" in result.output) == (0, False)


def test_a_reset_of_the_server_authority_alone(tmp_path):
    """The identities stay, the names that were asked for go, and standard error says what to do."""
    pki = pki_of(tmp_path)
    pki.server_credential(["winlab"])
    result = reset(tmp_path, "--server", "--yes")
    assert result.exit_code == 0
    assert "There is a new server authority" in result.stderr
    now = pki_of(tmp_path)
    assert now.server_authority.certificate != pki.server_authority.certificate
    assert (now.server.added, now.identity("alice").chain) == ([], pki.identity("alice").chain)
    assert [path.name for path in tmp_path.iterdir()] == ["pki"]


def test_what_trusting_it_risks(run, tmp_path):
    """How far the authority goes, for whom, how long: for this machine's names, for one that was asked for, for any."""
    home = str(tmp_path)

    def shown() -> str:
        return " ".join(run("pki", "show", TLSLAB_HOME=home).output.split())

    assert "names that end in localhost, test, example or invalid, which no site on the net has" in shown()
    assert "What trusting it risks: whoever gets its key (server-ca-key.pem) can pose as one of these" in shown()
    pki = pki_of(tmp_path)
    assert (
        json.loads(run("pki", "show", "--json", TLSLAB_HOME=home).output)["server_authority"]["vouches_for"][-1]
        == "::1/128"
    )
    pki.server_credential(["winlab", "192.0.2.10"])
    assert "Because somebody asked for it, it vouches for winlab, 192.0.2.10, too." in shown()
    old = make_authority("tlslab Server CA 1", datetime.now(UTC))
    (pki.folder / "server-ca.pem").write_bytes(certificates_pem([old.certificate]))
    (pki.folder / "server-ca-key.pem").write_bytes(key_pem(old.key))
    assert "can pose as any web site to what trusts it" in shown()
    assert "tlslab pki reset --server makes one that goes no further" in shown()


def test_a_new_authority_is_told_of(run, tmp_path):
    """By whichever command meets it first, beside what it prints for programs, and once."""
    open_pki(tmp_path, datetime.now(UTC) - timedelta(days=350))
    first, second = (run("pki", "show", "--json", TLSLAB_HOME=str(tmp_path)) for _ in range(2))
    assert "so a new one was made, for a year" in " ".join(first.stderr.split())
    assert json.loads(first.stdout) == json.loads(second.stdout)
    assert second.stderr == ""


def test_an_old_pki_is_named_when_it_is_too_old(run, tmp_path):
    """What the error says to do is a command there is."""
    open_pki(tmp_path, datetime.now(UTC) - timedelta(days=1000))
    result = run("pki", "show", TLSLAB_HOME=str(tmp_path))
    assert (result.exit_code, "run tlslab pki reset" in result.output) == (1, True)


# --- what other programs make of it -----------------------------------------------------------------------------


def lines_of(output: str, program: str) -> list[str]:
    """The command lines that were printed for a program."""
    return [line.strip() for line in output.splitlines() if re.match(rf"^    (mkdir .*)?{program} ", line)]


def shell(line: str, home: Path) -> str:
    """Run a printed line in a shell that has this home."""
    done = subprocess.run(
        line, shell=True, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, "HOME": str(home)}
    )
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout


@pytest.mark.client
@pytest.mark.parametrize("form", ["p12", "p12-legacy"])
def test_the_lines_for_browsers_work(run, require_client, tmp_path, form):
    """What is printed puts the authority and alice into an NSS database, and takes both out again."""
    for program in ("certutil", "pk12util"):
        require_client(program)
    folder = tmp_path / "a folder"
    output = run("pki", "export", str(folder), "--identity", "alice", "--format", form).output
    make, lists = (
        next(line for line in lines_of(output, "") if line.startswith("mkdir")),
        'certutil -d "sql:$HOME/.pki/nssdb" -L',
    )
    shell(make, tmp_path)
    add, remove = ([line for line in output.splitlines() if flag in line] for flag in (" -A ", " -D "))
    shell(add[0], tmp_path)
    [bring_alice] = lines_of(output, "pk12util")
    shell(bring_alice, tmp_path)
    assert re.search(r"^tlslab Server CA \S.* C,, *$", shell(lists, tmp_path), re.MULTILINE)
    assert re.search(r"^alice +u,u,u *$", shell(lists, tmp_path), re.MULTILINE)
    shell(remove[0], tmp_path)
    shell(next(line for line in output.splitlines() if " -F " in line), tmp_path)
    assert not re.search("Server CA|alice", shell(lists, tmp_path))


@pytest.mark.client
def test_the_line_for_java_works(run, require_client, tmp_path):
    """Keytool makes a trust store with the authority in it, and reads alice's file."""
    require_client("keytool")
    output = run("pki", "export", str(tmp_path), "--identity", "alice").output
    [make_store] = lines_of(output, "keytool")
    shell(make_store, tmp_path)
    store = f"keytool -list -storepass tlslab -keystore {tmp_path}"
    assert "trustedCertEntry" in shell(f"{store}/truststore.p12", tmp_path)
    assert "PrivateKeyEntry" in shell(f"{store}/alice.p12", tmp_path)


@pytest.mark.client
def test_the_lines_for_python_work(run, serve, tmp_path):
    """The printed code opens a connection to a lab with this home, and SSL_CERT_FILE makes urllib trust it."""
    output = run("pki", "export", str(tmp_path), "--identity", "alice").output
    code = [line.strip() for line in output.splitlines() if re.match(r"^    (context|requests)", line)]
    (trusting,) = (line.strip() for line in output.splitlines() if "SSL_CERT_FILE" in line)
    variable = dict([trusting.removesuffix(" python3").split("=")])
    with serve() as lab:
        url = lab.ready["bindings"][0]["url"]
        assert python(*code[1:], f"print(urllib.request.urlopen({url!r}, context=context).status)") == "200\n"
        assert python(f"print(urllib.request.urlopen({url!r}).status)", **variable) == "200\n"


def python(*lines: str, **variables: str) -> str:
    """Run a program with these variables; what it prints."""
    program = "\n".join(["import ssl, urllib.request", *lines])
    environment = {**os.environ, "no_proxy": "*", **variables}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
