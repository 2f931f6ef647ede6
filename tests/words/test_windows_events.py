"""Entries of Windows' event logs, and how they are written down."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tlslab.events import (
    AlertSent,
    CertificateNotUsable,
    ClientCertificateReceived,
    HandshakeCompleted,
    SstpCertificatesDiffer,
)
from tlslab.schannel.event_log import ALERT_SENT, HANDSHAKE_COMPLETED, ISSUER_LIST_TRUNCATED
from tlslab.schannel.settings import Schannel
from tlslab.types import Unusable, Verdict
from tlslab.words.windows_events import (
    BINDING_UNUSABLE,
    CHAIN_FAILED,
    ENTRIES,
    HEADING,
    KEY_UNREADABLE,
    SSTP_CERTIFICATES_DIFFER,
    Record,
    entry_for,
)

AT = (0.0, 1, "site")
MOMENT = datetime(2026, 3, 4, 5, 6, 7, 891_000, UTC)
ALERT = Record(MOMENT, ALERT_SENT, 3, "192.0.2.9:5000", {"alert": 40})


@pytest.fixture
def schannel() -> Schannel:
    """A machine that logs errors."""
    return Schannel(
        send_trusted_issuer_list=True,
        trusted_issuer_list_limit=16384,
        maximum_cache_size=0,
        server_cache_time=0,
        event_logging=1,
        cipher_suites=(),
    )


def test_as_json():
    """One line that a program reads back."""
    told = ALERT.as_json()
    assert told.count("\n") == 1
    content = json.loads(told)
    assert datetime.fromisoformat(content["time"]) == MOMENT
    assert [content[name] for name in ("id", "source", "channel", "level")] == [36888, "Schannel", "System", "Error"]
    assert [content[name] for name in ("data", "connection", "peer")] == [{"alert": 40}, 3, "192.0.2.9:5000"]
    assert content["unverified"].startswith("that its level is Error")


def test_as_text():
    """A row below the heading's words, and what it says."""
    row, *says = ALERT.as_text().splitlines()
    assert row.split() == ["Error", "2026-03-04", "05:06:07", "Schannel", "36888", "System"]
    assert [row.index("36888"), row.index("System")] == [HEADING.index("Event ID"), HEADING.index("Log")]
    told = (ALERT_SENT.message, "alert 40", "connection 3 from 192.0.2.9:5000", f"unverified: {ALERT_SENT.unverified}")
    assert says == [f"    {text}" for text in told]


def test_an_entry_about_the_machine():
    """No connection, nobody at its other end, and a level that no document gives."""
    record = Record(MOMENT, SSTP_CERTIFICATES_DIFFER, 0, "", {"port": 443, "ipv4": "server", "ipv6": "none"})
    row, *says = record.as_text().splitlines()
    assert row.split() == ["-", "2026-03-04", "05:06:07", "RasSstp", "24", "System"]
    assert says == [
        f"    {text}"
        for text in (
            SSTP_CERTIFICATES_DIFFER.message,
            "port 443, ipv4 server, ipv6 none",
            f"unverified: {SSTP_CERTIFICATES_DIFFER.unverified}",
        )
    ]
    content = json.loads(record.as_json())
    assert (content["connection"], content["peer"], content["level"]) == (0, None, None)


@pytest.mark.parametrize("entry", [HANDSHAKE_COMPLETED, BINDING_UNUSABLE, SSTP_CERTIFICATES_DIFFER, CHAIN_FAILED])
def test_what_is_unverified_says_so(entry):
    """In both files."""
    record = Record(MOMENT, entry, 1, "x:1", {})
    assert f"unverified: {entry.unverified}" in record.as_text()
    assert json.loads(record.as_json())["unverified"] == entry.unverified


def test_what_is_documented_says_nothing_more():
    """The contrast: event 36885 is described with its level."""
    record = Record(MOMENT, ISSUER_LIST_TRUNCATED, 1, "x:1", {})
    assert "unverified" not in record.as_text()
    assert json.loads(record.as_json())["unverified"] is None


def test_nobody_breaks_an_entry():
    """A subject is what somebody wrote into a certificate."""
    record = Record(MOMENT, CHAIN_FAILED, 1, "x:1", {"subject": "CN=a\r\nError  2026\u2028\x1b[2J"})
    assert len(record.as_json().splitlines()) == 1
    assert r"subject CN=a\r\nError  2026\u2028\x1b[2J" in record.as_text()
    assert len(record.as_text().splitlines()) == 5


@pytest.mark.parametrize("verdict", list(Verdict))
def test_capi2_is_written_on_request(schannel, verdict):
    """Its operational log is off; where it is on, a chain is an entry whose level is that of its result."""
    event = ClientCertificateReceived(*AT, "CN=a", "CN=b", "00", verdict)
    assert entry_for(event, schannel, capi2=False) is None
    found = entry_for(event, schannel, capi2=True)
    assert found is not None
    entry, data = found
    level = "Information" if verdict is Verdict.TRUSTED else "Error"
    assert (entry.event_id, entry.source, entry.level) == (11, "CAPI2", level)
    assert entry.channel == "Microsoft-Windows-CAPI2/Operational"
    assert data == {"subject": "CN=a", "verdict": verdict.value}


def test_schannel_asks_its_mask(schannel):
    """An error is let through by the default, information is not."""
    assert entry_for(AlertSent(*AT, "fatal", "handshake_failure", 40), schannel, capi2=False) is not None
    assert entry_for(HandshakeCompleted(*AT, "TLSv1.2", "x", False, False), schannel, capi2=False) is None


@pytest.mark.parametrize("mask", [0, 7])
def test_the_neighbours_do_not_ask_the_mask_of_schannel(schannel, mask):
    """HttpEvent and RasSstp write theirs whatever EventLogging is."""
    machine = schannel.model_copy(update={"event_logging": mask})
    gone = CertificateNotUsable(*AT, "[::]:443", Unusable.DELETED)
    assert entry_for(gone, machine, capi2=False) == (BINDING_UNUSABLE, {"endpoint": "[::]:443"})
    differ = SstpCertificatesDiffer(0.0, 0, "", 443, "server", "")
    data = {"port": 443, "ipv4": "server", "ipv6": "none"}
    assert entry_for(differ, machine, capi2=False) == (SSTP_CERTIFICATES_DIFFER, data)


@pytest.mark.parametrize(("mask", "written"), [(0, False), (1, True), (2, False), (7, True)])
def test_a_missing_key_is_an_error_of_schannels(schannel, mask, written):
    """Schannel writes it, unlike its neighbours, by EventLogging; the code is that of a key container not there."""
    machine = schannel.model_copy(update={"event_logging": mask})
    missing = CertificateNotUsable(*AT, "[::]:443", Unusable.KEY_MISSING)
    wanted = (KEY_UNREADABLE, {"endpoint": "[::]:443", "code": "0x80090016"})
    assert entry_for(missing, machine, capi2=False) == (wanted if written else None)
    assert (KEY_UNREADABLE.event_id, KEY_UNREADABLE.source, KEY_UNREADABLE.level) == (36870, "Schannel", "Error")


def test_the_documented_numbers():
    """Number, source, log and level of the two."""
    found = [(one.event_id, one.source, one.channel, one.level) for one in (BINDING_UNUSABLE, SSTP_CERTIFICATES_DIFFER)]
    assert found == [(15021, "HttpEvent", "System", "Error"), (24, "RasSstp", "System", None)]


def test_every_entry_has_a_source():
    """Somebody describes it."""
    assert all(entry.documented for entry in ENTRIES)
