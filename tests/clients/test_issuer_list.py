"""A list of issuers that was cut, as wget, curl, openssl and tshark see it."""

from __future__ import annotations

import json
import select
import shlex
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from tlslab.events import ClientCertificateReceived, IssuerListTruncated
from tlslab.pki.root_names import root_name
from tlslab.scenario.issuers import issuer_names
from tlslab.scenario.load import load
from tlslab.scenario.schema import Step
from tlslab.verify.trials import trials

if TYPE_CHECKING:
    from tests.clients.conftest import CurlClient, LabProcess, Labs

SCENARIO = "ca-list-truncation"
SOURCE = load(SCENARIO).scenario
TRIALS = [trial for trial in trials(SOURCE) if any(step.filters_by_issuer for step in trial.client)]
FILTERING = Step(request="GET /protected", filters_by_issuer=True)
LIMIT = 16 * 1024
MOST_SHOWN = 100  # Wireshark shows no more names than that of a list, and says: Tree view truncated
PATIENCE = 60.0
Wget = Callable[["LabProcess"], str]


@pytest.fixture
def wget(require_client: Callable[[str], str], tmp_path: Path) -> Wget:
    """Return a function that runs the panel's wget line against a lab, and gives the status that it got."""
    require_client("wget")

    def get(lab: LabProcess) -> str:
        [line] = lab.writer(tmp_path).lines([FILTERING])
        return run_wget(shlex.split(line))

    return get


def run_wget(words: list[str]) -> str:
    """The status that one request of wget's got."""
    words = [words[0], "--no-config", "--no-proxy", *words[1:]]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode in (0, 8), done.stderr  # 8: the server answered with an error
    status: str = json.loads(done.stdout)["status"] if done.returncode else "200"
    return status


@pytest.mark.parametrize("trial", TRIALS, ids=[trial.name for trial in TRIALS])
def test_wget_goes_by_the_list(labs: Labs, wget: Wget, trial: Any) -> None:
    """Where the issuer is cut off wget offers nothing and gets 403.7; under each fix it gets in."""
    settings = {path: json.dumps(value) for path, value in trial.overrides.items()}
    lab = labs(SCENARIO, *trial.fixes, settings=settings)
    seen = lab.watch()
    assert wget(lab) == trial.expect.outcome
    names = {type(event).__name__ for event in seen.settled()}
    assert names >= set(trial.expect.events)
    assert names.isdisjoint(trial.expect.never)


@pytest.mark.parametrize("asks", ["enable", "disable"])
def test_curl_does_not_look_at_the_list(labs: Labs, curl: CurlClient, asks: str) -> None:
    """The same list, the same certificate, and curl gets in: it sends what it was given."""
    lab = labs(SCENARIO, settings={"bindings.site.client_cert_negotiation": asks})
    seen = lab.watch()
    [end] = curl.walk(lab, [Step(request="GET /protected")])
    assert (end.outcome.kind, end.outcome.certificate) == ("200", "CN=alice")
    assert seen.settled()
    assert (len(seen.of(IssuerListTruncated)), len(seen.of(ClientCertificateReceived))) == (1, 1)


def test_openssl_shows_the_names(labs: Labs, require_client: Callable[[str], str]) -> None:
    """`openssl s_client` lists the acceptable issuers: those that the event calls sent, and none that it calls lost."""
    lab = labs(SCENARIO, settings={"bindings.site.client_cert_negotiation": "enable"})
    seen = lab.watch()
    words = [require_client("openssl"), "s_client", "-connect", f"localhost:{lab.port}", "-CAfile", lab.ca_file]
    words += ["-tls1_2", "-nameopt", "RFC2253"]
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    listed = done.stdout.partition("Acceptable client certificate CA names\n")[2].partition("\nClient Cert")[0]
    [event] = seen.wait_for(IssuerListTruncated)
    assert listed.splitlines() == list(event.sent)


# --- tshark -------------------------------------------------------------------------------------------------------


class Wiretap:
    """Stands between one client and a lab, and keeps what each of them says, in order."""

    def __init__(self, lab_port: int) -> None:
        self._lab_port = lab_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.heard: list[tuple[str, bytes]] = []
        self._thread = Thread(target=self._relay, daemon=True)
        self._thread.start()

    def _relay(self) -> None:
        client = self._listener.accept()[0]
        with self._listener, client, socket.create_connection(("127.0.0.1", self._lab_port)) as lab:
            partner = {client: lab, lab: client}
            while partner:
                for talker in select.select(list(partner), [], [], PATIENCE)[0]:
                    self._pass_on(talker, partner, "I" if talker is client else "O")

    def _pass_on(self, talker: socket.socket, partner: dict[socket.socket, socket.socket], direction: str) -> None:
        data = talker.recv(65536)
        listener = partner[talker] if data else partner.pop(talker)
        with suppress(OSError):  # it has gone
            listener.sendall(data) if data else listener.shutdown(socket.SHUT_WR)
        if data:
            self.heard.append((direction, data))

    def close(self) -> None:
        """Wait until both have hung up."""
        self._thread.join(PATIENCE if self.heard else 0)

    def write(self, text2pcap: str, folder: Path) -> Path:
        """A capture of what was heard."""
        dump, capture = folder / "heard.txt", folder / "heard.pcapng"
        dump.write_text("".join(f"{direction}\n000000 {data.hex(' ')}\n" for direction, data in self.heard))
        words = [text2pcap, "-q", "-D", "-T", "50000,8443", str(dump), str(capture)]
        subprocess.run(words, capture_output=True, timeout=PATIENCE, check=True)
        return capture


@pytest.fixture
def tapped(labs: Labs) -> Iterator[tuple[LabProcess, Wiretap]]:
    """A lab, and somebody on the line to it."""
    lab = labs(SCENARIO)
    tap = Wiretap(lab.port)
    yield lab, tap
    tap.close()


@pytest.fixture
def wireshark(require_client: Callable[[str], str]) -> tuple[str, str]:
    """Its programs: tshark, and text2pcap, which makes a capture of bytes and needs no rights."""
    require_client("wget")
    return require_client("tshark"), require_client("text2pcap")


def test_tshark_reads_the_names(wireshark: tuple[str, str], tapped: tuple[LabProcess, Wiretap], tmp_path: Path) -> None:
    """Wireshark finds the CertificateRequest in the renegotiation, and in it the names of the event, all of them."""
    (tshark, text2pcap), (lab, tap) = wireshark, tapped
    seen = lab.watch()
    [line] = lab.writer(tmp_path).lines([FILTERING])
    assert run_wget(shlex.split(line.replace(f"localhost:{lab.port}", f"localhost:{tap.port}"))) == "403.7"
    tap.close()
    assert seen.settled()
    [event] = seen.of(IssuerListTruncated)
    names, shown = read_names(tshark, tap.write(text2pcap, tmp_path), lab.key_log)
    store = issuer_names(SOURCE.stores, None, root_name)
    texts = {name.public_bytes(): name.rfc4514_string() for name in store}
    assert [texts[name] for name in names] == list(event.sent)
    assert sum(2 + len(name) for name in names) == event.wire_bytes <= LIMIT
    assert shown == [name[2:] for name in names[:MOST_SHOWN]]  # without the header of the sequence
    next_one = next(name for name, text in texts.items() if text == event.dropped[0])
    assert event.wire_bytes + 2 + len(next_one) > LIMIT


def read_names(tshark: str, capture: Path, keys: Path) -> tuple[list[bytes], list[bytes]]:
    """The DER names of the one CertificateRequest in a capture, and those that Wireshark takes apart itself."""
    words = [tshark, "-r", str(capture), "-d", "tcp.port==8443,tls", "-o", f"tls.keylog_file:{keys}"]
    words += ["-Y", "tls.handshake.type==13", "-T", "jsonraw", "--no-duplicate-keys"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=True)
    content = json.loads(done.stdout)
    [whole] = find(content, "tls.handshake.dnames_raw")
    [parts] = find(content, "tls.handshake.dname_raw")
    return split(bytes.fromhex(whole[0])), [bytes.fromhex(part[0]) for part in parts]


def split(data: bytes) -> list[bytes]:
    """Take the list of names apart: each has its length before it, in two bytes."""
    names = []
    while data:
        end = 2 + int.from_bytes(data[:2])
        names.append(data[2:end])
        data = data[end:]
    return names


def find(content: Any, key: str) -> Iterator[Any]:
    """Every value of a key in what JSON came to."""
    if isinstance(content, dict):
        yield from (value for name, value in content.items() if name == key)
    inner = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    for value in inner:
        yield from find(value, key)
