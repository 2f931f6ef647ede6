"""What a real client is asked to do of a trial."""

from __future__ import annotations

from pathlib import Path

import pytest

from tlslab.matrix.asks import asks_of, chosen, promised, why_not
from tlslab.pki.store import IdentityFiles
from tlslab.scenario.load import load
from tlslab.verify.trials import trials

ALICE = {"alice": IdentityFiles(Path("a.pem"), Path("a.key"), Path("a.p12"), "p")}
URLS = {None: "https://localhost:1", "upload": "https://upload.localhost:1"}


def of(scenario: str, name: str):
    """A trial by its name."""
    return next(one for one in trials(load(scenario).scenario) if one.name == name)


def test_requests():
    """Each step is one: where to, who, and on which connection."""
    primer, upload = asks_of(of("large-post-deadlock", "fixes.prime-with-get"), URLS, ALICE)
    assert (primer.method, primer.body, primer.same_connection) == ("GET", 0, False)
    assert (upload.method, upload.url, upload.same_connection) == ("POST", "https://localhost:1/upload", True)
    assert (upload.cert, upload.key, upload.pkcs12) == ("a.pem", "a.key", "a.p12")
    [nobody] = asks_of(of("stray-address-binding", "symptom"), {None: "x", "shop": "x"}, {})[-1:]
    assert nobody.cert == ""


@pytest.mark.parametrize(
    ("scenario", "name", "why"),
    [
        ("large-post-deadlock", "symptom", ""),
        ("ca-list-truncation", "symptom", ""),
        ("sni-missing", "symptom", "a step has sni"),
        ("session-idle-purge", "symptom", "a step has wait"),
        ("slow-pin", "symptom", "a step has answers_after"),
    ],
)
def test_what_no_client_can_be_told(scenario, name, why):
    """What is about the world around a client is left out, and what is about its own ways is its own business."""
    assert why_not(of(scenario, name)) == why


def test_which_trials():
    """The symptom and the certain fixes, or all of them; never the cases, nor what defeats a fix."""
    scenario = load("large-post-deadlock").scenario
    few, every = ([one.name for one in chosen(scenario, every_fix=all_of_them)] for all_of_them in (False, True))
    assert few[0] == every[0] == "symptom"
    assert "fixes.negotiate-on-binding" in few
    assert "fixes.client-drains-too" in set(every) - set(few)
    assert len(every) == 1 + len(scenario.fixes)
    assert promised(of("large-post-deadlock", "symptom")) == ["reset"]
