"""Each rule of text, as a table of values."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlslab import text

ESCAPES = [
    ("", ""),
    ("Jürgen 山田", "Jürgen 山田"),
    ("\x1b[2J", r"\x1b[2J"),
    ("\x9b2J", r"\x9b2J"),  # C1: the same as ESC [ on some terminals
    ("a\r\nb\tc", r"a\r\nb\tc"),
    ("\0\x7f", r"\x00\x7f"),
    ("\u202eevil\u2066\u200f", r"\u202eevil\u2066\u200f"),  # turn the text around
    ("\u2028\x85", r"\u2028\x85"),  # line ends elsewhere
    ("\ud800\udc80", r"\ud800\udc80"),
    ("\U000e0001", r"\U000e0001"),
    ("1\u00a0000\u202fkm\u3000😀", "1\u00a0000\u202fkm\u3000😀"),  # spaces are written, and do nothing
    ("👩\u200d💻👍🏽", "👩\u200d💻👍🏽"),  # a programmer
    ("a\u200db 👩\u200d", "a\\u200db 👩\\u200d"),  # the same character, which hides
    ("\u200b\ufeff\u061c", r"\u200b\ufeff\u061c"),  # no width
    (r"\x1b", r"\x1b"),  # printed as it came: what is an escape and what looks like one cannot be told apart
]
HOSTILE = "".join(raw for raw, _ in ESCAPES)


@pytest.mark.parametrize(("raw", "written"), ESCAPES)
def test_escaped(raw, written):
    """What does not print is an escape; what prints stays."""
    assert text.escaped(raw) == written


def test_escaped_but_for():
    """A traceback keeps its lines, and nothing else."""
    assert text.escaped("a\nb\x1b\r", keep="\n") == "a\nb\\x1b\\r"


@given(st.text(st.characters(exclude_categories=())))
def test_escaped_text_prints_and_can_be_encoded(raw):
    """Whatever comes, it prints on a line, and UTF-8 has it."""
    written = text.escaped(raw)
    assert written.translate(dict.fromkeys(map(ord, f"{text.SPACES}\u200d"))).isprintable()
    assert len(written.encode()) >= len(raw)


@pytest.mark.parametrize(
    ("raw", "written"),
    [
        ("", "-"),
        ("-", "-"),
        ("curl/8.7.1 (x; y)", "curl/8.7.1+(x;+y)"),
        (" ", "+"),
        ("/a\r\n2026-01-01\t\x1b\0", "/a++2026-01-01+++"),
        ("\u202e\u2028\x9b\ud800\u3000", "+++++"),
        ("/ü+b", "/ü+b"),
    ],
)
def test_log_field(raw, written):
    """A field holds nothing that could end it, or the line."""
    assert text.log_field(raw) == written


@given(st.text(st.characters(exclude_categories=()), min_size=1))
def test_a_log_field_is_one_field(raw):
    """Whatever comes is one field, as long as what came."""
    written = text.log_field(raw)
    assert written.split() == [written]
    assert len(written) == len(raw)


@pytest.mark.parametrize(
    ("raw", "written"),
    [
        ("", ""),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\"><img onerror='x'>", "&quot;&gt;&lt;img onerror=&#x27;x&#x27;&gt;"),
        ("&lt;", "&amp;lt;"),
        ("Jürgen", "Jürgen"),
        ("a\ud800b", r"a\ud800b"),
        ("\0\x1b\u202e\n", "\\x00\\x1b\\u202e\n"),  # a page is read in a terminal, too
    ],
)
def test_html_text(raw, written):
    """Nothing is markup, and all of it is UTF-8."""
    assert text.html_text(raw) == written
    assert text.html_text(raw).encode().decode() == written


@given(st.text(st.characters(exclude_categories=())))
def test_json_text(raw):
    """It prints, DEL too, and is read as what it was."""
    written = text.json_text({raw: [raw, 1]})
    assert written.isprintable()
    assert written.isascii()
    assert json.loads(written) == json.loads(json.dumps({raw: [raw, 1]}))


@pytest.mark.parametrize(("raw", "written"), [("abc", "abc"), ("abcd", "abc... (4 characters)"), ("", "")])
def test_shortened(raw, written):
    """What is longer is cut, and says how long it was."""
    assert text.shortened(raw, 3) == written
    assert text.shortened("x" * 5000, 2).endswith("... (5,000 characters)")


@pytest.mark.parametrize(("raw", "written"), [("", ""), ("abcde", "abcde"), ("abcdef", "ab...")])
def test_cut(raw, written):
    """What is longer ends in dots, which count."""
    assert text.cut(raw, 5) == written


@pytest.mark.parametrize(
    ("raw", "limit", "written"),
    [("abc", 3, "abc"), ("abc", 2, "ab"), ("üü", 3, "ü"), ("山", 2, ""), ("a\ud800b", 2, "a?"), ("\0\n", 2, "\0\n")],
)
def test_cut_bytes(raw, limit, written):
    """No half of a letter is left."""
    assert text.cut_bytes(raw, limit) == written


@pytest.mark.parametrize(
    ("where", "written", "peer"),
    [
        (("192.0.2.1", 443), "192.0.2.1:443", "192.0.2.1:443"),
        (("localhost", 8443), "localhost:8443", "localhost:8443"),
        (("::1", 443), "[::1]:443", "::1:443"),
        (("2001:db8::1", 50_000), "[2001:db8::1]:50000", "2001:db8::1:50000"),
    ],
)
def test_host_and_port(where, written, peer):
    """An IPv6 address stands in brackets, but in events; both are read back."""
    assert (text.format_host_port(where), text.format_peer(where)) == (written, peer)
    assert text.parse_host_port(written) == text.parse_host_port(peer) == where


@pytest.mark.parametrize("raw", ["", "localhost", "localhost:", "[::1]", "a:b"])
def test_what_has_no_port(raw):
    """A host alone is an error."""
    with pytest.raises(ValueError, match="invalid literal"):
        text.parse_host_port(raw)


@pytest.mark.parametrize(
    ("status", "substatus", "short", "full"),
    [(200, 0, "200", "200.0"), (403, 7, "403.7", "403.7"), (403, 10, "403.10", "403.10"), (404, 0, "404", "404.0")],
)
def test_statuses(status, substatus, short, full):
    """The substatus is left out where there is none, but on the pages of IIS."""
    assert (text.format_status(status, substatus), text.format_full_status(status, substatus)) == (short, full)
    assert text.short_status(full) == text.short_status(short) == short


@pytest.mark.parametrize(
    ("count", "one", "many", "written"),
    [
        (0, "byte", "", "0 bytes"),
        (1, "byte", "", "1 byte"),
        (2, "fix", "fixes", "2 fixes"),
        (1, "fix", "fixes", "1 fix"),
        (1_048_576, "byte", "", "1,048,576 bytes"),
    ],
)
def test_format_count(count, one, many, written):
    """One is one, and all others are many."""
    assert text.format_count(count, one, many) == written
    assert written.endswith(f" {text.plural(count, one, many)}")


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1000, "1,000 bytes"),
        (1024, "1 KiB"),
        (40_960, "40 KiB"),
        (41_000, "41,000 bytes"),
        (2**20, "1 MiB"),
    ],
)
def test_format_bytes(count, written):
    """As a scenario would write it, where that is exact."""
    assert text.format_bytes(count) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (120.0, "120 s"),
        (1.5, "1.5 s"),
        (0.04, "40 ms"),
        (1.23456, "1.235 s"),
        (0.0, "0 ms"),
        (36_000.0, "10 h"),
        (36_001.0, "36001 s"),
    ],
)
def test_format_seconds(seconds, written):
    """Short, and to a thousandth; only whole hours are hours."""
    assert text.format_seconds(seconds) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0.0 ms"), (0.0123, "12.3 ms"), (0.35, "350 ms"), (1, "1.0 s"), (120.4, "120.4 s"), (3600, "3,600 s")],
)
def test_format_elapsed(seconds, written):
    """A measured duration is short to read, and never hours."""
    assert text.format_elapsed(seconds) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0 s"), (0.0004, "0.0004 s"), (5.0, "5 s"), (7200.0, "7200 s"), (1.23456789, "1.23457 s")],
)
def test_format_plain_seconds(seconds, written):
    """Seconds only, to six digits."""
    assert text.format_plain_seconds(seconds) == written


def test_hostile_text_is_one_line_everywhere():
    """What the tables above have, all at once: no control, no format character, no line end is left."""
    for written in (text.escaped(HOSTILE), text.log_field(HOSTILE), text.escaped(text.cut(HOSTILE, 20))):
        rest = written.replace("\u200d\U0001f4bb", "")  # the programmer's joiner
        assert {unicodedata.category(one) for one in rest}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
        assert json.loads(json.dumps(written)) == written
