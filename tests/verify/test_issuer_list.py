"""ca-list-truncation from end to end in memory: what goes out, what is left out, and who that hits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tlslab.client.identities import People
from tlslab.events import CertificateRequested, IssuerListTruncated, ResponseSent
from tlslab.pki.store import Pki, open_pki
from tlslab.scenario.build import build
from tlslab.scenario.load import load
from tlslab.scenario.schema import Step, WritingStyle
from tlslab.verify.memory import World
from tlslab.verify.observation import Observation

LIMIT = 16 * 1024
LOADED = load("ca-list-truncation")
FILTERING = Step(request="GET /protected", filters_by_issuer=True)
Look = Callable[..., Observation]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The authorities and identities of these runs."""
    return open_pki(tmp_path_factory.mktemp("home"), datetime.now(UTC))


@pytest.fixture
def look(pki: Pki) -> Look:
    """Return a function that sends one request to the lab with these settings."""

    def run(step: Step = FILTERING, /, **settings: Any) -> Observation:
        paths = {path.replace("__", "."): value for path, value in settings.items()}
        plan = build(LOADED, [], paths, pki)
        return World(plan, People(pki), WritingStyle.WRITES_EVERYTHING).walk([step])

    return run


def cut(seen: Observation) -> IssuerListTruncated:
    """What a run tells of the list that was cut."""
    [event] = [event for event in seen.events if isinstance(event, IssuerListTruncated)]
    return event


def roots(*order: int) -> list[dict[str, Any]]:
    """The groups of the Root store in another order."""
    groups: list[dict[str, Any]] = LOADED.data["stores"]["Root"]["roots"]
    return [groups[index] for index in order]


@pytest.mark.parametrize("asks", ["enable", "disable"])
def test_the_names_on_the_wire_are_those_of_the_event(look: Look, pki: Pki, asks: str) -> None:
    """The event names the store's roots, every one and in its order; what goes out is the first part of them."""
    seen = look(bindings__site__client_cert_negotiation=asks)
    event = cut(seen)
    [request] = [event for event in seen.events if isinstance(event, CertificateRequested)]
    assert event.sent == request.issuers
    assert event.wire_bytes == request.issuers_bytes
    everything = [*event.sent, *event.dropped]
    assert len(everything) == len(set(everything)) == 332
    assert everything[:2] == ["CN=Fabrikam Root CA,O=Fabrikam", "CN=Contoso Root CA 1,O=Contoso Ltd"]
    assert everything[-1] == "CN=Proseware Root CA 20,O=Proseware"
    assert pki.client_authorities[0].subject.rfc4514_string() in event.dropped


def test_one_more_name_would_pass_the_limit(look: Look, pki: Pki) -> None:
    """What goes out is as much as fits, whole names only, and each counts two bytes more than its DER."""
    settings = build(LOADED, [], {}, pki).tls["site"]
    sizes = [2 + len(name.public_bytes()) for name in settings.issuer_names]
    assert sum(sizes) == cut(look()).wire_bytes <= LIMIT
    everything = build(LOADED, [], {"schannel.trusted_issuer_list_limit": 0xFFFF}, pki).tls["site"].issuer_names
    assert everything[: len(sizes)] == settings.issuer_names
    assert sum(sizes) + 2 + len(everything[len(sizes)].public_bytes()) > LIMIT


def test_two_roots_swapped_move_the_victim(look: Look, pki: Pki) -> None:
    """The lab's authority and Fabrikam change places: alice gets in, and Fabrikam's people no longer would."""
    ours, fabrikam = pki.client_authorities[0].subject.rfc4514_string(), "CN=Fabrikam Root CA,O=Fabrikam"
    before, after = look(), look(stores__Root__roots=roots(4, 1, 2, 3, 0, 5))
    assert (before.last.kind, after.last.kind) == ("403.7", "200")
    assert (ours in cut(before).sent, fabrikam in cut(before).sent) == (False, True)
    assert (ours in cut(after).sent, fabrikam in cut(after).sent) == (True, False)
    assert {*cut(before).sent, *cut(before).dropped} == {*cut(after).sent, *cut(after).dropped}


@pytest.mark.parametrize(("event_logging", "logged"), [(1, False), (3, True), (7, True)])
def test_windows_logs_it_on_request(look: Look, event_logging: int, logged: bool) -> None:
    """Event 36885 is a warning, and written only with EventLogging 3 and above."""
    event = cut(look(schannel__event_logging=event_logging))
    assert (event.event_id, event.logged, event.limit_bytes) == (36885, logged, LIMIT)


def test_a_root_that_is_not_there_is_not_trusted(look: Look) -> None:
    """Without the lab's own authority in the Root store a certificate that comes all the same is 403.16."""
    seen = look(Step(request="GET /protected"), stores__Root__roots=roots(0))
    [answer] = [event for event in seen.events if isinstance(event, ResponseSent)]
    assert (answer.status, answer.substatus) == (403, 16)
