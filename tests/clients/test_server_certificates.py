"""Every certificate that a binding can name, as curl sees it: one lab, a port for each."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tlslab.events import AlertReceived, ConnectionClosed, RequestReceived
from tlslab.httpsys.bindings import ServerCertificate

if TYPE_CHECKING:
    from tests.clients.conftest import LabProcess, Labs

SCENARIO = """\
format_version: 1
title: Certificates
story: One of each.
sources: [this test]
symptoms: [none]
profile: windows-server-2012-r2
bindings:
{bindings}
sites: [{{path: /a, ssl_flags: [Ssl]}}]
symptom: {{client: [{{request: GET /a, identity: none}}], expect: {{outcome: 200}}}}
fixes: {{}}
teach: Look at the certificate.
"""
REFUSED = 60  # CURLE_PEER_FAILED_VERIFICATION
RESET = {35, 56}  # which of them depends on curl's version


@pytest.fixture(scope="module")
def lab(labs: Labs, tmp_path_factory: pytest.TempPathFactory) -> LabProcess:
    """A lab with a binding for each."""
    lines = [
        f'  {kind}: {{endpoint: "0.0.0.0:{8443 + number}", certificate: {kind}, protocols: [TLS1.2]}}'
        for number, kind in enumerate(ServerCertificate)
    ]
    path: Path = tmp_path_factory.mktemp("certificates") / "kinds.yaml"
    path.write_text(SCENARIO.format(bindings="\n".join(lines)), encoding="utf-8")
    return labs(str(path))


@pytest.mark.parametrize(
    ("kind", "codes", "says"),
    [
        ("server", {0}, ""),
        ("server-rsa", {0}, ""),
        ("expired", {REFUSED}, "certificate has expired"),
        ("wrong-name", {REFUSED}, "no alternative certificate subject name matches"),
        ("self-signed", {REFUSED}, "self-signed certificate|self signed certificate"),
        ("no-intermediate", {REFUSED}, "unable to get local issuer certificate"),
        ("key-missing", RESET, ""),
        ("deleted", RESET, ""),
    ],
)
def test_what_curl_says(kind: str, codes: set[int], says: str, lab: LabProcess, require_client: Any) -> None:
    """It takes the good ones, refuses each of the others in its own words, and is reset where there is none."""
    one = next(one for one in lab.ready["bindings"] if one["name"] == kind)
    seen = lab.watch()
    command = [require_client("curl"), "-q", "-sS", "--noproxy", "*", "--cacert", lab.ca_file, f"{one['url']}a"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    seen.wait_for(ConnectionClosed)
    assert done.returncode in codes, done.stderr
    assert any(words in done.stderr for words in says.split("|"))
    assert [event.how for event in seen.of(ConnectionClosed)] == ["reset" if codes == RESET else "closed"]
    assert bool(seen.of(RequestReceived)) is (codes == {0})
    # The name curl compares itself, when the handshake is over: the server hears a goodbye and no alert.
    alerts = [one for one in seen.of(AlertReceived) if one.level == "fatal"]
    assert bool(alerts) is (codes == {REFUSED} and kind != "wrong-name")
