"""The lab's keys and certificates on disk: HOME/pki, made on first use and never changed afterwards.

The folder is written beside its place and then renamed into it. So nobody ever sees half of it, and of two labs that
start at once one wins and the other reads what the winner wrote. A start reads only what it needs: the server
authority, which signs the certificate of this start, and the certificates (not the keys) of the clients, for their
dates. The folder's mode is 0700 and every file's 0600, where there are such modes.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tlslab.errors import LabError
from tlslab.pki import authorities
from tlslab.pki.authorities import Authority, Credential, issue_client, make_authority
from tlslab.pki.export import certificates_pem, key_pem, pkcs12_bytes

FOLDER = "pki"
IDENTITIES = ("alice",)
# Browsers and Windows import no key without a password. This one is printed with the file's name: it keeps nobody out.
PKCS12_PASSWORD = "tlslab"
# No lab may start that would fail for its own authority's age before anyone expects it.
AUTHORITY_MARGIN = timedelta(days=30)
NO_MARGIN = timedelta(0)
# What cryptography raises for a file that is not what it was. TypeError: the key wants a password.
DAMAGE = (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion)


@dataclass(frozen=True, slots=True)
class IdentityFiles:
    """Where a client finds an identity: PEM (certificate, then its authority) with its key, and both as PKCS#12."""

    cert_file: Path
    key_file: Path
    pkcs12_file: Path
    pkcs12_password: str


@dataclass(frozen=True, slots=True)
class Pki:
    """The lab's certificates, as they were when it started at `opened`."""

    folder: Path
    opened: datetime
    server_authority: Authority
    client_authorities: tuple[x509.Certificate, ...]

    @property
    def ca_file(self) -> Path:
        """The PEM file that a client must trust to accept the lab's servers."""
        return self.folder / "server-ca.pem"

    @property
    def identities(self) -> Mapping[str, IdentityFiles]:
        """The files of every client identity, by name."""
        return {name: _identity_files(self.folder, name) for name in IDENTITIES}

    def identity(self, name: str) -> Credential:
        """Load a client identity from its files.

        LabError: an unknown name, or a file that is unreadable, damaged or past its date.
        """
        if name not in IDENTITIES:
            raise LabError(f"the lab has no identity {name!r}", f"it has {', '.join(IDENTITIES)}")
        files = _identity_files(self.folder, name)
        chain = _read_identity(files.cert_file, self.client_authorities, self.opened)
        return Credential(chain, _read_key(files.key_file, chain[0]))

    def server_credential(self, names: Sequence[str]) -> Credential:
        """Issue the server certificate of this start for localhost, 127.0.0.1, ::1 and `names`; it is never stored.

        LabError: a name that is neither a host name nor an IP address.
        """
        return authorities.server_credential(self.server_authority, names, self.opened)


def open_pki(home: Path, now: datetime) -> Pki:
    """Open the lab's certificates under `home`, and make them first where there are none; `now` is an aware datetime.

    LabError: `home` cannot be written, or a file is unreadable, damaged or past its date.
    """
    folder = home.absolute() / FOLDER
    if not os.path.lexists(folder):
        _create(folder, now)
    return _load(folder, now)


def _load(folder: Path, now: datetime) -> Pki:
    server_ca = _read_certificates(folder / "server-ca.pem", now, AUTHORITY_MARGIN)[0]
    server_key = _read_key(folder / "server-ca-key.pem", server_ca)
    client_ca = _read_certificates(folder / "client-ca.pem", now, AUTHORITY_MARGIN)[0]
    for name in IDENTITIES:
        # Clients are handed this file, and a lab fails only in the way its scenario says.
        _read_identity(_identity_files(folder, name).cert_file, (client_ca,), now)
    return Pki(folder, now, Authority(server_ca, server_key), (client_ca,))


def _identity_files(folder: Path, name: str) -> IdentityFiles:
    return IdentityFiles(folder / f"{name}.pem", folder / f"{name}-key.pem", folder / f"{name}.p12", PKCS12_PASSWORD)


# --- making it ----------------------------------------------------------------------------------------------------


def _create(folder: Path, now: datetime) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))  # 0700, and the rename keeps it
        try:
            for path, content in _contents(draft, now):
                _write_private(path, content)
            _publish(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise LabError(
            f"cannot keep the lab's certificates in {folder.parent}: {error.strerror}",
            "set the environment variable TLSLAB_HOME to a folder that you may write to",
        ) from error


def _contents(folder: Path, now: datetime) -> Iterable[tuple[Path, bytes]]:
    # The suffix tells two labs apart in a trust store, where people see nothing but the name.
    suffix = secrets.token_hex(4)
    server = make_authority(f"tlslab Server CA {suffix}", now)
    client = make_authority(f"tlslab Client CA {suffix}", now)
    for name, authority in (("server-ca", server), ("client-ca", client)):
        yield folder / f"{name}.pem", certificates_pem([authority.certificate])
        yield folder / f"{name}-key.pem", key_pem(authority.key)
    for name in IDENTITIES:
        files, identity = _identity_files(folder, name), issue_client(client, name, now)
        yield files.cert_file, certificates_pem(identity.chain)
        yield files.key_file, key_pem(identity.key)
        yield files.pkcs12_file, pkcs12_bytes(identity, name, files.pkcs12_password)


def _write_private(path: Path, content: bytes) -> None:
    """Create a file with mode 0600 from its first moment; where there are no such modes, with the folder's rights."""
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)


def _publish(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)  # fails where a folder with something in it stands
    except OSError:
        if not folder.is_dir():
            raise
        # Another lab was faster: its certificates are ours.


# --- reading it ---------------------------------------------------------------------------------------------------


def _read_certificates(path: Path, now: datetime, margin: timedelta) -> tuple[x509.Certificate, ...]:
    try:
        chain = tuple(x509.load_pem_x509_certificates(_read(path)))
        for certificate, issuer in zip(chain, (*chain[1:], chain[-1]), strict=True):
            certificate.verify_directly_issued_by(issuer)  # every chain here ends in its root, so any flipped bit shows
    except DAMAGE as error:
        raise _unusable(path, "is damaged: it does not hold the certificate that the lab wrote") from error
    begin, end = chain[0].not_valid_before_utc, chain[0].not_valid_after_utc
    if begin > now:
        raise _unusable(path, f"is valid only from {begin:%Y-%m-%d %H:%M} UTC: is this computer's clock right?")
    if end < now + margin:
        raise _unusable(path, f"is too old: it expires on {end:%Y-%m-%d}")
    return chain


def _read_identity(path: Path, issuers: tuple[x509.Certificate, ...], now: datetime) -> tuple[x509.Certificate, ...]:
    chain = _read_certificates(path, now, NO_MARGIN)
    if chain[1:] != issuers:
        raise _unusable(path, "does not hold a certificate and the authority in client-ca.pem, which issued it")
    return chain


def _read_key(path: Path, certificate: x509.Certificate) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(_read(path), password=None)
    except DAMAGE as error:
        raise _unusable(path, "is damaged: it holds no key that can be read") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise _unusable(path, "is not the key of the certificate beside it")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}") from error


def _unusable(path: Path, why: str) -> LabError:
    return LabError(
        f"{path} {why}",
        f"delete the folder {path.parent} and start again: the lab then makes new certificates, "
        "and its clients must trust the new server-ca.pem",
    )
