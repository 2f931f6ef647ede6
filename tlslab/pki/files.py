"""How certificates and keys are kept: written beside their place and renamed into it, and read with suspicion.

A folder appears complete or not at all, so of two labs that make the same one at once, one wins and the other reads
what the winner wrote. Folders have mode 0700 and files 0600, where there are such modes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import mkdtemp

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tlslab.errors import LabError, in_words, reason_of

SET_HOME = "set the environment variable TLSLAB_HOME to a folder that you may write to"
OTHERS = "identities"  # the folder within the folder
Contents = Mapping[str, bytes]  # path within the folder, with slashes -> content
# What cryptography raises for a file that is not what it was. TypeError: the key wants a password.
DAMAGE = (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion)


# --- writing ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def draft(folder: Path, contents: Contents) -> Iterator[Path]:
    """Write `contents` into a folder beside `folder`; what is not moved away is gone afterwards.

    LabError: an OSError, here or in the `with`.
    """
    with in_words(f"cannot keep the lab's certificates in {folder.parent}", SET_HOME):
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))  # 0700, and the rename keeps it
        try:
            for name, content in contents.items():
                path = place / name
                path.parent.mkdir(mode=0o700, exist_ok=True)
                write_private(path, content)
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


def write_private(path: Path, content: bytes) -> None:
    """Create a file with mode 0600 from its first moment; where there are no such modes, with the folder's rights."""
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)


def publish(place: Path, folder: Path) -> None:
    """Rename a draft into its place, unless another lab was faster: then its certificates are ours."""
    try:
        place.rename(folder)  # fails where a folder with something in it stands
    except OSError:
        if not folder.is_dir():
            raise


# --- reading ------------------------------------------------------------------------------------------------------


def read_chain(path: Path, issuers: tuple[x509.Certificate, ...] = ()) -> tuple[x509.Certificate, ...]:
    """Read certificates, each issued by the next and the last by the first of `issuers`, or by itself without.

    A flipped bit shows in a signature. LabError: the file is unreadable or damaged.
    """
    try:
        chain = tuple(x509.load_pem_x509_certificates(read(path)))
        links = (*chain, *issuers)
        for certificate, issuer in zip(chain, (*links[1:], links[-1]), strict=False):
            certificate.verify_directly_issued_by(issuer)
    except DAMAGE as error:
        raise unusable(path, "is damaged: it does not hold the certificate that the lab wrote") from error
    return chain


def read_key(path: Path, certificate: x509.Certificate) -> ec.EllipticCurvePrivateKey:
    """Read the key of a certificate. LabError: the file is unreadable, damaged, or another certificate's key."""
    try:
        key = load_pem_private_key(read(path), password=None)
    except DAMAGE as error:
        raise unusable(path, "is damaged: it holds no key that can be read") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise unusable(path, "is not the key of the certificate beside it")
    return key


def read(path: Path) -> bytes:
    """Read a file. LabError: it cannot be read."""
    if path.exists() and not path.is_file():  # a pipe would be read for ever
        raise unusable(path, "is no file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise unusable(path, f"cannot be read: {reason_of(error)}") from error


def unusable(path: Path, why: str) -> LabError:
    """What to say of a file that is not what the lab wrote, and the least that must be thrown away to mend it."""
    if path.parent.name == OTHERS:
        again = "the lab then issues these identities anew; its authorities, and whoever trusts them, are not touched"
        return LabError(f"{path} {why}", f"delete the folder {path.parent} and start again: {again}")
    again = "the lab then makes new certificates, and its clients must trust the new server-ca.pem"
    return LabError(
        f"{path} {why}", f"run tlslab pki reset, or delete the folder {path.parent} and start again: {again}"
    )
