"""What is told of a certificate is what is in it."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from tlslab.pki.authorities import issue_client, make_authority
from tlslab.pki.description import describe
from tlslab.pki.export import certificates_pem

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_description():
    """Names, number and dates."""
    certificate = issue_client(make_authority("An Authority", NOW), "alice", NOW).chain[0]
    told = describe(certificate)
    assert (told.subject, told.common_name, told.issuer) == ("CN=alice", "alice", "CN=An Authority")
    assert int(told.serial, 16) == certificate.serial_number
    assert told.not_before == NOW - timedelta(days=1)
    assert told.not_after == NOW + timedelta(days=824, seconds=-1)


@pytest.mark.client
@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_fingerprints_are_those_of_openssl(require_client, tmp_path, algorithm):
    """Another program comes to the same number."""
    require_client("openssl")
    certificate = make_authority("An Authority", NOW).certificate
    path = tmp_path / "ca.pem"
    path.write_bytes(certificates_pem([certificate]))
    command = ["openssl", "x509", "-noout", "-fingerprint", f"-{algorithm}", "-in", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    assert said.strip().partition("=")[2].replace(":", "").lower() == getattr(
        describe(certificate), f"fingerprint_{algorithm}"
    )
