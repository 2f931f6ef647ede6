"""Codes in their forms."""

from __future__ import annotations

import pytest

from tlslab.symptoms.codes import forms, numbers
from tlslab.symptoms.reading import read
from tlslab.symptoms.vocabulary import compiled

RESET = compiled(forms("ECONNRESET"))


@pytest.mark.parametrize(
    "text",
    [
        "ECONNRESET",
        "WSAECONNRESET",
        "[Errno 104]",
        "[Errno 54]",
        "[WinError 10054]",
        "read:errno=104",
        "(104: Connection",
        "(os error 104)",
        "SocketException (10054)",
        "errno: -104",
        "errno: -4077",
        "0x80072746",
        "-2147014842",
        "2147952454",
    ],
)
def test_a_reset_in_its_forms(text):
    """Names and numbers of Linux, macOS, Windows and libuv, and an HRESULT in hexadecimal and both decimals."""
    assert RESET.search(text)


@pytest.mark.parametrize(
    "text", ["104", "line 104", "10.0.0.104", "1048576", "curl: (54) x", "0x800727461", "MYECONNRESETS", "port 10054"]
)
def test_no_reset(text):
    """A number alone is none, nor is one that belongs to something else."""
    assert not RESET.search(text)


def test_the_number_alone():
    """Where somebody asks for nothing else, a number of Windows sockets is enough; in a log it is not."""
    assert compiled(numbers("ECONNRESET")).search("10054")
    assert "reset" in read("10054").signs
    assert "reset" not in read("worker 10054 says hello", alone=False).signs


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("CERT_E_UNTRUSTEDROOT", "untrusted-root"),
        ("0x800b0109", "untrusted-root"),
        ("-2146762487", "untrusted-root"),
        ("2148204809", "untrusted-root"),
        ("ERROR_INTERNET_CONNECTION_RESET", "reset"),
        ("0x80072EFF", "reset"),
        ("ERROR_WINHTTP_TIMEOUT", "timeout"),
        ("0x80072ee2", "timeout"),
    ],
)
def test_names_and_numbers_of_windows(text, sign):
    """A name, its HRESULT and both of its decimals say the same."""
    assert sign in read(text).signs
