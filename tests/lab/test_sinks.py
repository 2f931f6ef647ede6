"""What a lab tells programs: events as JSON, and the ready file."""

from __future__ import annotations

import json
import os

import pytest

from tlslab import events as e
from tlslab.errors import LabError
from tlslab.lab.sinks import event_json, write_ready_file
from tlslab.types import HandshakeKind

posix = pytest.mark.skipif(os.name == "nt", reason="pipes with names, modes and /dev/full are POSIX")


def test_event_json():
    """The type's name under `event`, then the fields."""
    event = e.CertificateRequested(1.23456789, 2, "site", HandshakeKind.FIRST, ("CN=a",), 9)
    assert json.loads(event_json(event)) == {
        "event": "CertificateRequested",
        "at": 1.234568,
        "connection": 2,
        "binding": "site",
        "during": "handshake",
        "issuers": ["CN=a"],
        "issuers_bytes": 9,
    }


def test_ready_file(tmp_path):
    """It replaces what was there as a whole, and leaves nothing beside it."""
    path = tmp_path / "ready.json"
    path.write_text("of the last lab")
    write_ready_file(path, {"pid": 1})
    assert json.loads(path.read_text()) == {"pid": 1}
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_ready_file_is_a_file(tmp_path):
    """A device or a pipe is not replaced."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(LabError, match="it is there, and no file"):
        write_ready_file(path, {})
    assert list(tmp_path.iterdir()) == [path]
