"""The trace that Microsoft published in 2013, made again: the same rows, of this lab, the real curl and tshark."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tlslab.events import AlertSent, HandshakeCompleted
from tlslab.pki.authorities import Authority, issue_client
from tlslab.pki.export import certificates_pem, key_pem
from tlslab.pki.files import read_chain, read_key
from tlslab.scenario.load import load
from tlslab.scenario.schema import WritingStyle
from tlslab.verify.judge import judge
from tlslab.verify.observation import Observation
from tlslab.verify.trials import Trial, trials

if TYPE_CHECKING:
    from tests.clients.conftest import CurlClient, LabProcess, Labs

SCENARIO = "published-trace"
PUBLISHED = yaml.safe_load(Path(__file__).with_suffix(".yaml").with_stem("published_trace").read_text("utf-8"))["rows"]
TRIES = 5  # a busy machine may hold up the FIN behind a close_notify for longer than the lab waits for it
PLAYED = [
    trial
    for trial in trials(load(SCENARIO).scenario)
    if not any(step.filters_by_issuer for step in trial.client)  # which curl does not
]
COLUMNS = 'gui.column.format:"Source port","%uS","Protocol","%p","Info","%i"'
REASSEMBLED = "[TCP segment of a reassembled PDU]"
PATIENCE = 60.0


@dataclass(frozen=True)
class Row:
    """A row of Wireshark's: who sent it, and its protocol and info columns."""

    sender: str
    protocol: str
    info: str

    @property
    def is_message(self) -> bool:
        """Whether it is more than TCP's own: rows of TCP alone have nothing but flags."""
        return self.protocol != "TCP" or self.info == REASSEMBLED


def published() -> list[Row]:
    """The rows as they are to be seen today."""
    return [Row(row["from"], row["protocol"], row.get("today") or row["info"]) for row in PUBLISHED]


@pytest.fixture
def record(labs: Labs, require_client: Callable[[str], str], tmp_path: Path) -> Callable[..., list[Row]]:
    """Return a function that serves the scenario, fetches page and favicon with curl, and gives tshark's rows."""
    curl, tshark = require_client("curl"), require_client("tshark")

    def run(*fixes: str) -> list[Row]:
        for _ in range(TRIES):
            capture = tmp_path / "lab.pcapng"
            lab = labs(SCENARIO, *fixes, more=("--pcapng", str(capture)))
            seen = lab.watch()
            subprocess.run([curl, *arguments(lab, tmp_path)], capture_output=True, timeout=PATIENCE, check=True)
            events = seen.settled()
            assert lab.stop() == 0
            if not any(isinstance(event, AlertSent) for event in events):
                return rows(tshark, capture, lab.port)
        raise AssertionError("curl's FIN came too late behind its close_notify every time")

    return run


def arguments(lab: LabProcess, folder: Path) -> list[str]:
    """One curl, one connection; TLS 1.0 and the suite of then; as a browser would, it asks for HTML."""
    cert_file, key_file = identity_of_then(Path(lab.ca_file).parent, folder)
    url = f"https://localhost:{lab.port}"
    words = ["-q", "-sS", "--noproxy", "*", "--tlsv1.0", "--tls-max", "1.0", "--ciphers", "AES128-SHA:@SECLEVEL=0"]
    words += ["--cacert", lab.ca_file, "--cert", str(cert_file), "--key", str(key_file)]
    return [*words, "-H", "Accept: text/html", f"{url}/1.aspx", f"{url}/favicon.ico"]


def identity_of_then(pki: Path, folder: Path) -> tuple[Path, Path]:
    """A certificate for an RSA key, which is sent with its intermediate: too long for one segment, as in the trace."""
    (root,) = read_chain(pki / "client-ca.pem")
    (above,) = read_chain(pki / "identities" / "intermediate-ca.pem", (root,))
    key = read_key(pki / "identities" / "intermediate-ca-key.pem", above)
    credential = issue_client(Authority(above, key, (root,)), "Internet Explorer", datetime.now(UTC), rsa_key=True)
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificates_pem(credential.chain))
    key_file.write_bytes(key_pem(credential.key))
    return cert_file, key_file


def rows(tshark: str, capture: Path, port: int) -> list[Row]:
    """What tshark shows of a capture, without TCP's handshake, written as in 2013."""
    words = [tshark, "-n", "-r", str(capture), "-d", f"tcp.port=={port},tls", "-o", COLUMNS, "-T", "tabs"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=True)
    shown = [line.split("\t") for line in done.stdout.splitlines()]
    found = [Row("server" if source == str(port) else "client", name, as_then(info)) for source, name, info in shown]
    assert [row.info for row in found[:3]] == ["[SYN]", "[SYN, ACK]", "[ACK]"]
    return found[3:]


def as_then(info: str) -> str:
    """An info column as the Wireshark of 2013 would have written it; see the head of the data file."""
    info = re.sub(r"\[TCP PDU reassembled in \d+\]", REASSEMBLED, info)
    flags = re.match(r"\d+ \S+ \d+ (\[[A-Z, ]+\])", info)
    return flags[1] if flags else " ".join(re.sub(r" \(SNI=[^)]*\)", "", info).split())


def test_the_published_rows(record: Callable[..., list[Row]]) -> None:
    """Row for row what was published, acknowledgments among them, but for what the data file gives reasons for."""
    assert record() == published()


def test_asking_at_the_start_is_another_trace(record: Callable[..., list[Row]]) -> None:
    """The contrast: with the fix there is no HelloRequest, and the first handshake asks for the certificate."""
    found = [row for row in record("negotiate-on-binding") if row.is_message]
    assert found != [row for row in published() if row.is_message]
    infos = [row.info for row in found]
    assert "Hello Request" not in infos
    assert infos[:2] == ["Client Hello", "Server Hello, Certificate, Certificate Request, Server Hello Done"]
    assert infos.count("Client Hello") == 1


@pytest.mark.parametrize("trial", PLAYED, ids=[trial.name for trial in PLAYED])
def test_the_printed_lines_keep_the_promises(labs: Labs, curl: CurlClient, trial: Trial) -> None:
    """What the file says of its clients holds for curl, told to speak TLS 1.0 by the lines that the lab prints."""
    lab = labs(SCENARIO, *trial.fixes)
    seen = lab.watch()
    [end] = curl.walk(lab, trial.client)
    expect = trial.expect.for_style(WritingStyle.READS_WHILE_WRITING)
    assert judge(expect, Observation((end.outcome,), tuple(seen.settled()))) == []


@pytest.mark.parametrize("suites", [None, "[]"])
def test_the_suite_is_the_labs_choice(labs: Labs, require_client: Callable[[str], str], suites: str | None) -> None:
    """A curl that offers all it has gets the suite of then; with the list emptied it gets another."""
    lab = labs(SCENARIO, settings={"schannel.cipher_suites": suites} if suites else {})
    seen = lab.watch()
    words = ["-q", "-sS", "--noproxy", "*", "--tlsv1.0", "--tls-max", "1.0", "--ciphers", "DEFAULT:@SECLEVEL=0"]
    url = f"https://localhost:{lab.port}/favicon.ico"
    subprocess.run([require_client("curl"), *words, "--cacert", lab.ca_file, url], timeout=PATIENCE, check=True)
    (completed,) = seen.wait_for(HandshakeCompleted)
    assert (completed.cipher == "AES128-SHA") is (suites is None)


def test_every_difference_has_its_reason() -> None:
    """Where the data file departs from what was published it says why: in three rows, two of them curl's goodbye."""
    differing = [row for row in PUBLISHED if "today" in row or row["number"] is None]
    assert all(row["why"] for row in differing)
    assert (len(differing), len(PUBLISHED)) == (3, 27)
    (grown,) = [row for row in differing if row["number"]]
    assert (grown["number"], grown["info"]) == (85, "Certificate, Client Key Exchange, Certificate Verify")
    assert grown["today"] == f"{grown['info']}, Change Cipher Spec, Finished"


@pytest.mark.parametrize(
    ("today", "then"),
    [
        ("Client Hello (SNI=localhost)", "Client Hello"),
        ("GET /1.aspx HTTP/1.1 ", "GET /1.aspx HTTP/1.1"),
        ("HTTP/1.1 200 OK  (text/html)", "HTTP/1.1 200 OK (text/html)"),
        ("[TCP PDU reassembled in 85]", REASSEMBLED),
        ("49685 → 443 [FIN, ACK] Seq=1 Ack=2 Win=3 Len=0", "[FIN, ACK]"),
        ("49685 > 443 [ACK] Seq=1 Ack=2", "[ACK]"),
        ("[TCP Retransmission] 49685 → 443 [ACK] Seq=1", "[TCP Retransmission] 49685 → 443 [ACK] Seq=1"),
    ],
)
def test_as_then(today: str, then: str) -> None:
    """Spelling is put aside, and nothing that means something."""
    assert as_then(today) == then
