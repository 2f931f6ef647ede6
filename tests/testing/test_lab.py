"""A lab in a thread of the test's own program, and Python's own client against it."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio

from tlslab import open_lab, tlslab_fixes
from tlslab.errors import LabError, UsageProblem
from tlslab.events import ConnectionSummary, EntityBodyStalled, HelloRequestSent
from tlslab.testing.lab import Lab, LabTimeout

BODY = bytes(2**20)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the lab's keys away from the user's."""
    monkeypatch.setenv("TLSLAB_HOME", str(tmp_path_factory.getbasetemp() / "lab-home"))


@pytest.fixture
def lab() -> Iterator[Lab]:
    """The freeze, as it is."""
    with open_lab("large-post-deadlock") as lab:
        yield lab


def upload(lab: Lab, identity: str | None = "alice") -> int:
    """POST a MiB, and return the status."""
    place = urlsplit(lab.target_url)
    client = http.client.HTTPSConnection(str(place.hostname), place.port, context=lab.ssl_context(identity))
    try:
        client.request("POST", place.path, BODY)
        return client.getresponse().status
    finally:
        client.close()


def test_a_freeze_that_is_ended_and_its_cure(lab):
    """Nobody waits for the two minutes; with the fix, turned on while it runs, the next connection is served."""
    ended: list[BaseException] = []

    def freeze() -> None:
        try:
            upload(lab)
        except OSError as error:
            ended.append(error)

    thread = threading.Thread(target=freeze)
    thread.start()
    stalled = lab.wait_for(EntityBodyStalled)
    (frozen,) = lab.connections
    assert (frozen.number, frozen.stalled, frozen.how) == (stalled.connection, True, None)
    lab.expect(deadlock=True)
    frozen.end_now()
    thread.join(30)
    assert isinstance(ended[0], OSError)
    assert lab.wait_for(ConnectionSummary, connection=1).why == "TimerExpired: ssl_renegotiation"
    assert lab.events[-1].at < 100  # of 120 s
    assert lab.change(fixes=["negotiate-on-binding"]) == 2
    assert upload(lab) == 200
    lab.expect(status="200", certificate="alice", renegotiated=False)
    with pytest.raises(AssertionError, match="an upload deadlocked"):
        lab.expect(deadlock=False, timeout=0)
    with pytest.raises(LabError, match="has no fix"):
        lab.change(fixes=["pray"])
    with pytest.raises(LabTimeout, match=r"no HelloRequestSent, connection=2 within 0 s\. What happened:\n +\d+\.\d"):
        lab.wait_for(HelloRequestSent, timeout=0, connection=2)


def test_a_client_that_does_not_trust_it(lab):
    """What a client calls a connection error is said to be TLS itself."""
    place = urlsplit(lab.target_url)
    client = http.client.HTTPSConnection(str(place.hostname), place.port, context=ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        client.request("GET", "/")
    with pytest.raises(AssertionError, match="TLS itself was the cause"):
        lab.expect(deadlock=True, timeout=0.5)


def test_what_it_gives(lab, monkeypatch):
    """URLs of each binding, the files of an identity, an environment without what stands in the way."""
    assert lab.url("/x").startswith("https://localhost:")
    assert lab.url("/x", "upload").startswith("https://upload.localhost:")
    with pytest.raises(LabError, match="no binding 'down'"):
        lab.url(binding="down")
    assert all(Path(file).is_file() for file in (lab.ca_file, *lab.identity("alice").cert))
    with pytest.raises(LabError, match="no identity 'bob'"):
        lab.identity("bob")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    with pytest.MonkeyPatch.context() as patched:
        lab.patch_env(patched)
        assert "REQUESTS_CA_BUNDLE" not in __import__("os").environ


async def test_on_trio() -> None:
    """The same in an `async with`; what waits is awaited."""
    async with open_lab("large-post-deadlock", fixes="negotiate-on-binding") as lab:
        assert await trio.to_thread.run_sync(upload, lab.lab) == 200
        await lab.expect(status="200", deadlock=False)
        summary = await lab.wait_for(ConnectionSummary)
        assert summary.statuses == ("200",)


def test_what_cannot_be_had():
    """Said when it is asked for; nothing is left behind."""
    before = set(threading.enumerate())  # other tests' labs, which serve a whole session
    with pytest.raises(UsageProblem, match="no scenario 'large-post-deadlok'"):
        open_lab("large-post-deadlok")
    with pytest.raises(UsageProblem, match="speed=-1 is no speed"):
        open_lab("large-post-deadlock", speed=-1)
    with pytest.raises(UsageProblem, match="has no fix"), open_lab("large-post-deadlock", fixes="pray"):
        pass
    left = set(threading.enumerate()) - before
    assert not [thread for thread in left if thread.name.startswith("tlslab")]


def test_fixes_for_parametrize():
    """All of them, or those that somebody changes alone."""
    every = tlslab_fixes("large-post-deadlock")
    assert "negotiate-on-binding" in tlslab_fixes("large-post-deadlock", changes="server-config")
    assert set(tlslab_fixes("large-post-deadlock", changes="server-code")) < set(every)
    with pytest.raises(UsageProblem, match="no fix changes 'server'"):
        tlslab_fixes("large-post-deadlock", changes="server")
