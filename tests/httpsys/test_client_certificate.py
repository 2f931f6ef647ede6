"""When each way to fetch the certificate asks, and what it does with the body meanwhile."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from tlslab.httpsys.client_certificate import (
    UNLIMITED,
    AfterBody,
    AfterResponse,
    Ask,
    AsyncDrain,
    BodyProgress,
    Cancel,
    ClientCertRetrieval,
    EarlyAsyncDrain,
    ReadAhead413,
    Retrieval,
    Synchronous,
    Take,
    TooLarge,
)

BUFFER, MAX = 1000, 5000
SYNCHRONOUS = Synchronous(buffer=BUFFER, http_sys_buffer=0)
READS_ON = Synchronous(buffer=BUFFER, http_sys_buffer=0, read_on_after=60)
ASKS_FIRST = Synchronous(buffer=0, http_sys_buffer=BUFFER, read_on_after=60)
AFTER_BODY = AfterBody(max=MAX)
ASYNC = AsyncDrain(buffer=BUFFER, max=MAX)
EARLY = EarlyAsyncDrain(max=MAX)
READ_AHEAD = ReadAhead413(size=BUFFER)


def progress(received=0, *, announced=None, complete=False, unread=0, waits=False, asked_for=0.0):
    """Where a request stands."""
    return BodyProgress(received, announced, complete, unread, waits, 0.3, 0.3 + asked_for)


@pytest.mark.parametrize(
    ("retrieval", "at", "decision"),
    [
        (SYNCHRONOUS, progress(0), Take(1000)),
        (SYNCHRONOUS, progress(999), Take(1)),
        (SYNCHRONOUS, progress(1000), Take(0)),  # full, and nothing known to be behind: asked now, some would escape
        (SYNCHRONOUS, progress(1000, unread=1), Ask()),
        (AFTER_BODY, progress(4999), Take(1)),
        (AFTER_BODY, progress(5000), Take(0)),
        (AFTER_BODY, progress(5000, unread=1), Ask()),
        (ASYNC, progress(999), Take(1)),
        (ASYNC, progress(1000), Ask()),  # reads on anyway: no need to know what is behind
        (EARLY, progress(0), Ask()),
    ],
)
def test_before_asking(retrieval, at, decision):
    """Body is read up to the buffer; then who stops reading asks once more body is there, and who reads on at once."""
    assert retrieval.before_asking(at) == decision


@pytest.mark.parametrize(
    ("at", "decision"),
    [
        (progress(0, announced=1000), Take(1000)),
        (progress(999, announced=1000), Take(1)),
        (progress(0, announced=1001), Take(1000)),  # a client that looks early sees no more than one that looks late
        (progress(999, announced=5000, unread=9), Take(1)),
        (progress(1000, announced=1001), TooLarge(1000)),  # that more follows is known, whether it is there or not
        (progress(1000, announced=1000, complete=True), Ask()),
        (progress(1020, announced=5000), TooLarge(1000)),  # what came with the head
        (progress(0), Take(1001)),
        (progress(1000), Take(1)),  # the last chunk, or more body?
        (progress(1000, unread=9), Take(1)),
        (progress(1001), TooLarge(1000)),
        (progress(1000, complete=True), Ask()),
        (progress(0, announced=5000, waits=True), Ask()),
    ],
)
def test_reading_ahead(at, decision):
    """A body of up to the size is read to its end, then comes the question; what is left of another is refused."""
    assert READ_AHEAD.before_asking(at) == decision


@pytest.mark.parametrize(
    ("size", "at"), [(0, progress(0, announced=1)), (0, progress(1)), (2**31 - 1, progress(2**31 - 1, announced=2**31))]
)
def test_reading_ahead_at_the_limits_of_the_size(size, at):
    """Nothing read ahead refuses every body; the largest size is IIS's."""
    assert ReadAhead413(size=size).before_asking(at) == TooLarge(size)


def test_reading_ahead_reads_nothing_once_it_has_asked():
    """A body that comes although its client announced that it waits freezes as anywhere else."""
    assert READ_AHEAD.while_asked(progress(0, announced=5000, unread=9)) == Take(0)
    assert READ_AHEAD.while_asked(progress(1000, announced=1000, complete=True)) == Take(UNLIMITED)


@pytest.mark.parametrize("retrieval", [SYNCHRONOUS, AFTER_BODY, ASYNC, EARLY, READ_AHEAD])
@pytest.mark.parametrize("at", [progress(3, complete=True), progress(waits=True)])
def test_nothing_more_to_come_asks_at_once(retrieval, at):
    """A complete body, or a client that waits for 100 Continue, leaves nothing to read first."""
    assert retrieval.before_asking(at) == Ask()


@pytest.mark.parametrize(
    ("retrieval", "at", "decision"),
    [
        (SYNCHRONOUS, progress(1000, unread=9), Take(0)),
        (SYNCHRONOUS, progress(1000, unread=9, asked_for=1e9), Take(0)),  # the freeze has no end of its own
        (READS_ON, progress(1000, unread=9, asked_for=59.9), Take(0)),
        (READS_ON, progress(1000, unread=9, asked_for=60), Take(UNLIMITED)),
        (ASKS_FIRST, progress(0, unread=9), Take(BUFFER)),  # http.sys takes that much, whoever reads
        (ASKS_FIRST, progress(BUFFER, unread=9), Take(0)),
        (ASKS_FIRST, progress(BUFFER, unread=9, asked_for=60), Take(UNLIMITED)),
        (AFTER_BODY, progress(5000, unread=9), Take(0)),
        (ASYNC, progress(1000), Take(4001)),  # one more than the maximum, to see that it is passed
        (ASYNC, progress(5000), Take(1)),
        (ASYNC, progress(5001), Cancel(5000)),
        (EARLY, progress(0), Take(5001)),
        (EARLY, progress(5001), Cancel(5000)),
    ],
)
def test_while_asked(retrieval, at, decision):
    """Who asked synchronously reads nothing, http.sys what it has room for; who drains gives up past the maximum."""
    assert retrieval.while_asked(at) == decision


@pytest.mark.parametrize("retrieval", [SYNCHRONOUS, AFTER_BODY, ASYNC, EARLY])
def test_a_complete_body_never_freezes(retrieval):
    """Behind the last byte of a body stands the answer: it may be read, however long the body was."""
    assert retrieval.while_asked(progress(MAX + 1, complete=True)) == Take(UNLIMITED)


@pytest.mark.parametrize(
    ("written", "retrieval"),
    [
        ({"kind": "synchronous"}, Synchronous(buffer=40 * 1024)),
        (
            {"kind": "synchronous", "buffer": "48KiB", "read_on_after": "60s"},
            Synchronous(buffer=49_152, read_on_after=60),
        ),
        ({"kind": "read_ahead_413"}, ReadAhead413(size=49_152)),
        ({"kind": "read_ahead_413", "size": "16MiB"}, ReadAhead413(size=16 * 2**20)),
        ({"kind": "after_body"}, AfterBody(max=4 * 2**20)),
        ({"kind": "async_drain", "max": "2MiB"}, AsyncDrain(buffer=40 * 1024, max=2 * 2**20)),
        ({"kind": "early_async_drain"}, EarlyAsyncDrain(max=4 * 2**20)),
        ({"kind": "after_response"}, AfterResponse()),
    ],
)
def test_each_kind_is_written_by_its_name(written, retrieval):
    """`client_cert_retrieval` in a scenario; sizes have defaults."""
    got = TypeAdapter(ClientCertRetrieval).validate_python(written)
    assert got == retrieval
    assert type(got) is type(retrieval)


@pytest.mark.parametrize(
    "written",
    [
        {"kind": "sync"},
        {},
        {"kind": "synchronous", "max": 1},
        {"kind": "after_body", "max": -1},
        {"kind": "read_ahead_413", "size": 2**31},
    ],
)
def test_what_is_no_retrieval(written):
    """An unknown kind, none, another kind's field, a size below nothing, one beyond IIS's largest."""
    with pytest.raises(ValidationError):
        TypeAdapter(ClientCertRetrieval).validate_python(written)


def test_a_variant_must_say_when_it_asks():
    """The base decides nothing by itself."""
    with pytest.raises(NotImplementedError):
        Retrieval().before_asking(progress())
