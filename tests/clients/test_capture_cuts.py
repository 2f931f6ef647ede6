"""However a client cuts what it sends into packets, the lab's capture of it decrypts in tshark."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from tlslab.capture.files import OutputFile
from tlslab.capture.recording import Capture
from tlslab.core.driver import Driver
from tlslab.core.machine import Machine
from tlslab.core.plan import LabPlan
from tlslab.events import ALL
from tlslab.pki.store import Pki, open_pki
from tlslab.scenario.build import build
from tlslab.scenario.load import load
from tlslab.tls.client import ClientTls, Session
from tlslab.tls.context import ClientSettings, client_context
from tlslab.verify.memory import Pipes, find_listener

OWN = Path(__file__).with_name("capture_lab.yaml")
LAB = "tls-12-v4"
PROTOCOLS = ["TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3"]
GET = b"GET /protected HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEADER = 5  # bytes of a record's header
Cut = Callable[[bytes], Iterator[int]]


# --- how a flight is cut: where the next packet begins -------------------------------------------------------------


def records(flight: bytes) -> Iterator[int]:
    """Where each record of a flight ends."""
    end = 0
    while end < len(flight):
        end += HEADER + int.from_bytes(flight[end + 3 : end + HEADER], "big")
        yield end


def alone(flight: bytes) -> Iterator[int]:
    """Each record in a packet of its own, as Java and mbedTLS send it."""
    return records(flight)


def joined(_flight: bytes) -> Iterator[int]:
    """All of it in one packet, as OpenSSL sends it."""
    return iter(())


def across(flight: bytes) -> Iterator[int]:
    """Each packet ends in the header of the record behind."""
    return (end + 2 for end in records(flight))


def within(flight: bytes) -> Iterator[int]:
    """Each packet ends one byte before a record does."""
    return (end - 1 for end in records(flight))


def bytewise(flight: bytes) -> Iterator[int]:
    """Each byte in a packet of its own."""
    return iter(range(len(flight)))


def anyhow(flight: bytes) -> Iterator[int]:
    """Anywhere, but the same in each run."""
    random = Random(len(flight))
    return (random.randrange(len(flight)) for _ in range(random.randrange(6)))


CUTS: list[Cut] = [joined, alone, across, within, bytewise, anyhow]


def pieces(flight: bytes, cut: Cut) -> Iterator[bytes]:
    """The packets of a flight."""
    places = sorted({0, len(flight), *(at for at in cut(flight) if 0 < at < len(flight))})
    return (flight[start:end] for start, end in pairwise(places))


# --- and the lab -------------------------------------------------------------------------------------------------


def ask(machine: Machine, capture: Capture, client: ClientTls, cut: Cut, port: int) -> Session | None:
    """Shake hands and get the page that needs a certificate; both leave."""
    listener, _ = find_listener(machine.plan, LAB)
    pipes = Pipes()

    def publish(events):
        for event in events:
            capture.note(event)

    driver = Driver(machine, listener, ("127.0.0.1", port), ("127.0.0.1", 8443), capture, publish, pipes, 0.0)
    driver.finish_step(0.0)
    asked, answer = False, b""
    client.read(0)
    while flight := client.data_to_send():
        for piece in pieces(flight, cut):
            driver.receive_data(piece, 0.0)
            driver.finish_step(0.0)
        client.receive(pipes.down.take(2**20))
        answer += client.read(2**14)
        if client.established and not asked:
            asked = client.write(GET)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    client.close()
    driver.receive_data(client.data_to_send(), 0.0)
    driver.receive_eof(0.0)
    driver.finish_step(0.0)
    driver.about_to_close(0.0)
    driver.closed(0.0)
    return client.session()


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """A lab's certificates."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


@pytest.fixture(scope="module")
def plans(pki: Pki) -> dict[str, LabPlan]:
    """A lab for each version of TLS."""
    loaded = load(str(OWN))
    return {name: build(loaded, [], {f"bindings.{LAB}.protocols": [name]}, pki) for name in PROTOCOLS}


@pytest.fixture(scope="module")
def decrypted(
    require_client: Callable[[str], str], pki: Pki, plans: dict[str, LabPlan], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str, bool], list[str]]:
    """What tshark, in one pass, says of each connection: by version, cut, and whether it resumed the one before."""
    path = tmp_path_factory.mktemp("cuts") / "cuts.pcapng"
    alice = pki.identity("alice")
    settings = ClientSettings((pki.server_authority.certificate,), alice.chain, alice.key)
    kinds: list[tuple[str, str, bool]] = []
    with OutputFile(str(path), "the capture") as file:
        capture = Capture(file, 0.0, "tlslab", "cuts")
        for name, plan in plans.items():
            for cut in CUTS:
                machine, session = Machine(plan, ALL, lambda line: capture.secrets(line.decode())), None
                for resumes in (False, True):
                    client = ClientTls(client_context(settings), "localhost", session)
                    session = ask(machine, capture, client, cut, 50_000 + len(kinds))
                    kinds.append((name, cut.__name__, resumes))
    nothing = str(path.parent)
    done = subprocess.run(
        [require_client("tshark"), "-n", "-r", str(path), "-T", "fields", "-e", "tcp.stream", "-e", "_ws.col.Info"],
        env={"PATH": os.environ["PATH"], "HOME": nothing, "WIRESHARK_CONFIG_DIR": nothing, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    found: dict[tuple[str, str, bool], list[str]] = {kind: [] for kind in kinds}
    for line in done.stdout.splitlines():
        stream, info = line.split("\t")
        found[kinds[int(stream)]].append(info)
    return found


@pytest.mark.parametrize("resumes", [False, True], ids=["new", "resumed"])
@pytest.mark.parametrize("cut", [cut.__name__ for cut in CUTS])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_it_decrypts(decrypted: dict[tuple[str, str, bool], list[str]], protocol: str, cut: str, resumes: bool) -> None:
    """Both handshakes, the request and the answer; a session that is resumed brings the certificate along."""
    infos = decrypted[protocol, cut, resumes]
    text = ", ".join(infos)
    assert "GET /protected HTTP/1.1" in text
    assert "HTTP/1.1 200 OK" in text
    assert ("Certificate Request" in text) is not resumes
    assert "Encrypted Handshake Message" not in text
