"""curl with each identity: what it earns, in both forms of file, whenever the server asks."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tlslab.events import ClientCertificateReceived, HelloRequestSent, ResponseSent
from tlslab.lab.verdicts import status_of
from tlslab.pki.identities import IDENTITIES

if TYPE_CHECKING:
    from tests.clients.conftest import LabProcess, Labs

SCENARIO = "client-certificate-verdicts"
BINDINGS = {"asks late": {}, "asks early": {"bindings.site.client_cert_negotiation": "enable"}}


def get(curl: str, lab: LabProcess, *identity: str) -> dict[str, Any]:
    """The answer to a GET of the protected path."""
    command = [curl, "-q", "-sS", "--noproxy", "*", "--cacert", lab.ca_file, *identity, lab.ready["target_url"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("settings", BINDINGS.values(), ids=BINDINGS)
@pytest.mark.parametrize("name", IDENTITIES)
def test_every_identity_earns_its_status(name: str, settings: dict[str, str], labs: Labs, require_client: Any) -> None:
    """The handshake succeeds with each, the lab tells the verdict, and the answer is the status of the table."""
    lab, curl = labs(SCENARIO, settings=settings), require_client("curl")
    seen, files = lab.watch(), lab.ready["identities"][name]
    answer = get(curl, lab, "--cert", files["cert_file"], "--key", files["key_file"])
    assert answer["status"] == status_of(name)
    (received,) = seen.wait_for(ClientCertificateReceived)
    assert received.verdict == IDENTITIES[name].verdict
    assert answer["client_certificate"]["subject"] == received.subject
    (sent,) = seen.wait_for(ResponseSent)
    assert f"{sent.status}.{sent.substatus}".removesuffix(".0") == answer["status"]
    assert bool(seen.of(HelloRequestSent)) is not bool(settings)


@pytest.mark.parametrize("name", IDENTITIES)
def test_pkcs12_earns_the_same(name: str, labs: Labs, require_client: Any) -> None:
    """The file for browsers sends what the PEM sends: the intermediate of full-chain too, and of leaf-only not."""
    lab, curl = labs(SCENARIO), require_client("curl")
    files = lab.ready["identities"][name]
    p12 = f"{files['pkcs12_file']}:{files['pkcs12_password']}"
    assert get(curl, lab, "--cert-type", "P12", "--cert", p12)["status"] == status_of(name)


def test_nobody_earns_403_7(labs: Labs, require_client: Any) -> None:
    """The contrast: without any certificate it is another status."""
    assert get(require_client("curl"), labs(SCENARIO))["status"] == "403.7"
