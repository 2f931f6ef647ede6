"""The lab's keys and certificates on disk: HOME/pki, made on first use and kept.

The authorities and alice lie in the folder itself, every other identity in `identities` below it: labs before it had
none of those, and to such a PKI the folder is added once, issued by the authority that is there. The server authority
alone is made anew by itself (`server_authority.py`). A start reads only what it needs: that authority, which signs the
certificate of this start, and alice's certificate, for its date: she is the first of the others to grow old. Of every
other file it asks no more than that it is there.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from tlslab.errors import LabError
from tlslab.pki import authorities
from tlslab.pki.authorities import Authority, Credential, issue_client, make_authority, make_server_authority
from tlslab.pki.export import certificates_pem, key_pem, pkcs12_bytes
from tlslab.pki.files import (
    OTHERS,
    Contents,
    check_begin,
    check_there,
    clear_drafts,
    draft,
    publish,
    read,
    read_chain,
    read_key,
    unusable,
)
from tlslab.pki.identities import (
    AUTHORITY_MARGIN,
    CLIENT_CA,
    FIRST,
    IDENTITIES,
    INTERMEDIATE_CA,
    UNTRUSTED_CA,
    Revocation,
    issue_others,
    parse_revocations,
    revocations_json,
)
from tlslab.pki.server_authority import CERTIFICATE, ServerAuthority
from tlslab.pki.servers import FAULTS, with_fault
from tlslab.types import Verdict

FOLDER = "pki"
SERVER, SERVER_RSA = "server", "server-rsa"  # the kinds of server certificates with nothing wrong
REVOKED = "revoked.json"
# Browsers and Windows import no key without a password. This one is printed with the file's name: it keeps nobody out.
PKCS12_PASSWORD = "tlslab"
NO_MARGIN = timedelta(0)
DATED = (Verdict.EXPIRED, Verdict.NOT_YET_VALID)  # identities whose dates are wrong on purpose


@dataclass(frozen=True, slots=True)
class IdentityFiles:
    """Where a client finds an identity: PEM (certificate, then what it sends along) with its key, both as PKCS#12."""

    cert_file: Path
    key_file: Path
    pkcs12_file: Path
    pkcs12_password: str


@dataclass(frozen=True, slots=True)
class Pki:
    """The lab's certificates, as they were when it started at `opened`."""

    folder: Path
    opened: datetime
    server: ServerAuthority
    client_authorities: tuple[x509.Certificate, ...]

    @property
    def server_authority(self) -> Authority:
        """The authority that issues the lab's servers, as it is now."""
        return self.server.authority

    @property
    def ca_file(self) -> Path:
        """The PEM file that a client must trust to accept the lab's servers."""
        return self.folder / CERTIFICATE

    @property
    def client_ca_file(self) -> Path:
        """The PEM file of the authority that the lab's servers trust to issue clients."""
        return self.folder / f"{CLIENT_CA}.pem"

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
        chain = _read_identity(files.cert_file, name, self.issuers(name))
        if IDENTITIES[name].verdict not in DATED:
            _check_dates(files.cert_file, chain[0], self.opened, NO_MARGIN)
        return Credential(chain, read_key(files.key_file, chain[0]))

    def revocations(self) -> tuple[Revocation, ...]:
        """The lab's list of revoked certificates, for revocation lists to come. LabError: it cannot be read."""
        path = self.folder / OTHERS / REVOKED
        try:
            return parse_revocations(read(path))
        except (ValueError, TypeError, KeyError) as error:
            raise unusable(path, "is damaged: it is not the list that the lab wrote") from error

    def client_intermediates(self) -> tuple[x509.Certificate, ...]:
        """Load the authority between the client authority and leaf-only. LabError: its file is damaged."""
        return read_chain(self.folder / OTHERS / f"{INTERMEDIATE_CA}.pem", self.client_authorities)

    def authority(self, name: str) -> x509.Certificate:
        """Load the certificate of `client`, `intermediate`, `untrusted` or `server`. LabError: its file is damaged."""
        match name:
            case "client":
                return self.client_authorities[0]
            case "intermediate":
                return self.client_intermediates()[0]
            case "untrusted":
                return self._untrusted()[0]
        return self.server_authority.certificate

    def server_credential(self, names: Sequence[str], kind: str = SERVER) -> Credential:
        """Issue the server certificate of this start for localhost, 127.0.0.1, ::1 and `names`; it is never stored.

        `kind`: `server`, `server-rsa` for an RSA key, or one of `servers.FAULTS`. An authority that may not vouch for a
        name is made anew, and `server.news` says so. LabError: a name that is neither a host name nor an IP address.
        """
        self.server.cover(names)
        rsa = kind == SERVER_RSA
        good = authorities.server_credential(self.server_authority, names, self.opened, rsa_key=rsa)
        return with_fault(kind, good, self.server_authority) if kind in FAULTS else good

    def issuers(self, name: str) -> tuple[x509.Certificate, ...]:
        """The authorities above an identity, up to its root, whether or not it shows them. LabError: a damaged file."""
        kind = IDENTITIES[name]
        if kind.issuer == CLIENT_CA:
            return self.client_authorities
        if kind.issuer == INTERMEDIATE_CA:
            return (*self.client_intermediates(), *self.client_authorities)
        return self._untrusted()

    def _untrusted(self) -> tuple[x509.Certificate, ...]:
        return read_chain(self.folder / OTHERS / f"{UNTRUSTED_CA}.pem")


def open_pki(home: Path, now: datetime) -> Pki:
    """Open the lab's certificates under `home`, and make what is not there yet; `now` is an aware datetime.

    LabError: `home` cannot be written, or a file is missing, unreadable, damaged or past its date.
    """
    folder = home.absolute() / FOLDER
    clear_drafts(folder.parent)
    if not os.path.lexists(folder):
        with draft(folder.parent, dict(_new_pki(now))) as place:
            publish(place, folder)
    clear_drafts(folder)
    pki = _load(folder, now)
    if not os.path.lexists(folder / OTHERS):
        _add_others(pki, now)
    for files in pki.identities.values():
        for path in (files.cert_file, files.key_file, files.pkcs12_file):
            check_there(path)
    return pki


def reset_pki(home: Path, now: datetime) -> Path | None:
    """Make a new PKI under `home`; give the folder that the old one was moved to, or None where there was none.

    Nothing of the old one is read. LabError: `home` cannot be written; then everything is as it was.
    """
    folder = home.absolute() / FOLDER
    clear_drafts(folder.parent)
    with draft(folder.parent, dict(_new_pki(now))) as place:
        aside = _move_aside(folder, now)
        try:
            publish(place, folder)
        except OSError:
            if aside is not None:
                aside.rename(folder)
            raise
    return aside


def _move_aside(folder: Path, now: datetime) -> Path | None:
    stem = f"{folder.name}-until-{now:%Y%m%d-%H%M%S}"
    aside, number = folder.with_name(stem), 1
    while os.path.lexists(aside):
        number += 1
        aside = folder.with_name(f"{stem}-{number}")
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return None
    return aside


def _load(folder: Path, now: datetime) -> Pki:
    server = ServerAuthority(folder, now)
    client_ca = _read_authority(folder / f"{CLIENT_CA}.pem", now)
    # Clients are handed this file, and a lab fails only in the way its scenario says.
    files = _identity_files(folder, FIRST)
    certificate = _read_identity(files.cert_file, FIRST, (client_ca,))[0]
    _check_dates(files.cert_file, certificate, now, NO_MARGIN)
    read_key(files.key_file, certificate)
    return Pki(folder, now, server, (client_ca,))


def _identity_files(folder: Path, name: str) -> IdentityFiles:
    place = folder if name == FIRST else folder / OTHERS
    return IdentityFiles(place / f"{name}.pem", place / f"{name}-key.pem", place / f"{name}.p12", PKCS12_PASSWORD)


# --- making it ----------------------------------------------------------------------------------------------------


def _new_pki(now: datetime) -> Iterator[tuple[str, bytes]]:
    # The suffix tells two labs apart in a trust store, where people see nothing but the name.
    suffix = secrets.token_hex(4)
    server = make_server_authority(f"tlslab Server CA {suffix}", now, ())
    client = make_authority(f"tlslab Client CA {suffix}", now)
    for name, authority in (("server-ca", server), (CLIENT_CA, client)):
        yield f"{name}.pem", certificates_pem([authority.certificate])
        yield f"{name}-key.pem", key_pem(authority.key)
    yield from _identity_contents(FIRST, issue_client(client, FIRST, now))
    for name, content in _other_contents(client, now).items():
        yield f"{OTHERS}/{name}", content


def _add_others(pki: Pki, now: datetime) -> None:
    certificate = pki.client_authorities[0]
    client = Authority(certificate, read_key(pki.folder / f"{CLIENT_CA}-key.pem", certificate))
    folder = pki.folder / OTHERS
    with draft(folder.parent, _other_contents(client, now)) as place:
        publish(place, folder)


def _other_contents(client: Authority, now: datetime) -> Contents:
    suffix = client.certificate.subject.rfc4514_string().rpartition(" ")[2]
    others = issue_others(client, suffix, now)
    contents = {
        f"{UNTRUSTED_CA}.pem": certificates_pem([others.untrusted.certificate]),
        f"{INTERMEDIATE_CA}.pem": certificates_pem([others.intermediate.certificate]),
        f"{INTERMEDIATE_CA}-key.pem": key_pem(others.intermediate.key),
        REVOKED: revocations_json(others.credentials["revoked"].chain[0], now),
    }
    for name, credential in others.credentials.items():
        contents |= dict(_identity_contents(name, credential))
    return contents


def _identity_contents(name: str, credential: Credential) -> Iterator[tuple[str, bytes]]:
    yield f"{name}.pem", certificates_pem(credential.chain)
    yield f"{name}-key.pem", key_pem(credential.key)
    yield f"{name}.p12", pkcs12_bytes(credential, name, PKCS12_PASSWORD)


# --- reading it ---------------------------------------------------------------------------------------------------


def _read_authority(path: Path, now: datetime) -> x509.Certificate:
    certificate = read_chain(path)[0]
    _check_dates(path, certificate, now, AUTHORITY_MARGIN)
    return certificate


def _read_identity(path: Path, name: str, issuers: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...]:
    shows = IDENTITIES[name].shows_issuers
    chain = read_chain(path, () if shows else issuers)
    if chain[1:] != (issuers if shows else ()):
        raise unusable(path, "does not hold a certificate and the authorities above it in the lab's own files")
    return chain


def _check_dates(path: Path, certificate: x509.Certificate, now: datetime, margin: timedelta) -> None:
    check_begin(path, certificate, now)
    end = certificate.not_valid_after_utc
    if end < now + margin:
        raise unusable(path, f"is too old: it expires on {end:%Y-%m-%d}")
