"""Each kind of client before the failures that it takes otherwise than another: a lab and its clients in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tlslab.client.kinds import CHOOSING, client_kind
from tlslab.events import (
    ClientCertificateNotSent,
    ClientCertificateReceived,
    ConnectionOpened,
    HelloRequestSent,
    RenegotiationRefused,
)
from tlslab.pki.store import Pki, open_pki
from tlslab.scenario.load import LoadedScenario
from tlslab.verify.probing import Foreseen, Probe

Foresee = Callable[..., Foreseen]
LIST, LATER, TLS13 = "ca-list-truncation", "post-request-renegotiation", "tls13-certificate-on-demand"
FREEZE, VERDICTS = "large-post-deadlock", "client-certificate-verdicts"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The authorities and identities of these runs."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


@pytest.fixture
def foresee(pki: Pki, shipped: Callable[[str], LoadedScenario]) -> Foresee:
    """Return a function that takes the steps of a scenario's symptom as a kind takes them."""

    def run(scenario: str, kind: str, *fixes: str, holds: tuple[str, ...] = (), **overrides: object) -> Foreseen:
        settings = {path.replace("__", "."): value for path, value in overrides.items()}
        return Probe(shipped(scenario), fixes, settings, holds, pki).foresee(client_kind(kind))

    return run


@pytest.mark.parametrize(
    ("scenario", "kind", "outcome", "place"),
    [
        (LIST, "openssl", "200", "cases.a-client-that-does-not-look"),
        (LIST, "schannel", "403.7", "symptom"),
        (LIST, "java", "403.7", "symptom"),
        (LIST, "browser", "403.7", ""),
        (LATER, "openssl", "200", "cases.order-on-the-wire"),
        (LATER, "browser", "200", "cases.a-browser-asks-twice"),
        (LATER, "no-renegotiation", "reset", "symptom"),
        (LATER, "ignores-renegotiation", "closed", "cases.ignoring-closes"),
        (TLS13, "openssl", "200", "cases.a-client-that-offers-it"),
        (TLS13, "no-post-handshake-auth", "reset", "symptom"),
        (TLS13, "browser", "reset", "symptom"),
        (FREEZE, "schannel", "reset", "symptom"),
        (FREEZE, "browser", "reset", "cases.sent-again-it-freezes-again"),
        (FREEZE, "schannel+prime", "200", "fixes.prime-with-get"),
        (FREEZE, "openssl+expect-continue", "200", "fixes.expect-100-continue"),
        ("keep-alive-race", "openssl", "reset", "symptom"),
        ("keep-alive-race", "browser", "200", "fixes.try-again"),
        ("sni-missing", "browser", "200", "cases.browsers-work"),
        ("no-close-notify", "openssl", "200", "cases.a-client-that-does-not-mind"),
    ],
)
def test_what_is_promised_of_each(foresee, scenario, kind, outcome, place):
    """The scenario's file says what becomes of such a client, and that it does; "" where it does not speak of it."""
    foreseen = foresee(scenario, kind)
    assert (foreseen.seen.last.kind, foreseen.promise.place) == (outcome, place)
    assert foreseen.promise.expect.outcome == outcome


def test_a_fix_that_is_the_way_of_a_client(foresee):
    """A client that reads while it writes is what the fix promises it of; one that does not is not."""
    assert foresee(FREEZE, "interleaved", "client-drains-too").promise.place == "fixes.client-drains-too"
    assert foresee(FREEZE, "write-then-read", "client-drains-too").promise.place == ""


@pytest.mark.parametrize("kind", CHOOSING)
def test_a_fix_mends_it_for_every_kind(foresee, kind):
    """Asked when the connection opens, nobody has to renegotiate; and each of them sends alice."""
    foreseen = foresee(FREEZE, kind, "negotiate-on-binding")
    assert (foreseen.seen.last.kind, foreseen.seen.last.certificate) == ("200", "CN=alice")
    assert foresee(FREEZE, kind).seen.last.kind == "reset"


@pytest.mark.parametrize(
    ("kind", "held", "sent"),
    [
        ("openssl", "expired", "expired"),
        ("java", "expired", "expired"),
        ("schannel", "expired", "expired"),
        ("browser", "expired", None),
        ("openssl", "wrong-eku", "wrong-eku"),
        ("java", "wrong-eku", "wrong-eku"),
        ("schannel", "wrong-eku", None),
        ("browser", "wrong-eku", None),
    ],
)
def test_usage_and_dates(pki, shipped, kind, held, sent):
    """Who looks at them keeps the certificate back; where alice is held as well, she is sent in its place."""
    loaded = shipped(VERDICTS)
    step = loaded.scenario.symptom.client[0].model_copy(update={"identity": held, "request": "GET /accept"})
    symptom = loaded.scenario.symptom.model_copy(update={"client": (step,)})
    scenario = loaded.scenario.model_copy(update={"symptom": symptom})
    one = Probe(replace(loaded, scenario=scenario), (), {}, (), pki)
    both = Probe(one.loaded, (), {}, ("alice",), pki)
    assert certificates(one.foresee(client_kind(kind))) == ([] if sent is None else [f"CN={sent}"])
    assert certificates(both.foresee(client_kind(kind))) == [f"CN={sent or 'alice'}"]


def certificates(foreseen: Foreseen) -> list[str]:
    """The certificates that the server got."""
    return [event.subject for event in foreseen.seen.events if isinstance(event, ClientCertificateReceived)]


def test_a_wallet_is_no_help_against_a_list_that_names_nobody_of_it(foresee):
    """Of all that the lab's clients have nothing comes from one of the roots in the list; without the list all goes."""
    everything = ("expired", "wrong-ca", "full-chain", "revoked")
    cut = foresee(LIST, "schannel", holds=everything)
    assert (cut.seen.last.kind, certificates(cut)) == ("403.7", [])
    sent = foresee(LIST, "schannel", holds=everything, schannel__send_trusted_issuer_list=False)
    assert certificates(sent) == ["CN=alice"]


@pytest.mark.parametrize(
    ("kind", "connections", "asked", "refused", "none_sent"),
    [
        ("openssl", 1, 1, 0, 0),
        ("java", 1, 1, 0, 1),
        ("schannel", 1, 1, 0, 1),
        ("browser", 2, 2, 0, 1),
        ("no-renegotiation", 1, 1, 1, 0),
        ("ignores-renegotiation", 1, 1, 0, 0),
        ("no-post-handshake-auth", 1, 1, 0, 0),
    ],
)
def test_what_the_server_sees(foresee, kind, connections, asked, refused, none_sent):
    """How often each comes, is asked, refuses, and answers with nothing, where the list does not name its issuer."""
    events = foresee(LIST, kind).seen.events
    kinds = (ConnectionOpened, HelloRequestSent, RenegotiationRefused, ClientCertificateNotSent)
    counts = [sum(isinstance(event, one) for event in events) for one in kinds]
    assert counts == [connections, asked, refused, none_sent]
