"""How certificates and keys are kept: written beside their place and renamed into it, and read with suspicion.

A folder appears complete or not at all, so of two labs that make the same one at once, one wins and the other reads
what the winner wrote. Folders have mode 0700 and files 0600, where there are such modes. What a lab was writing when it
was killed is taken away by the next: a lock on the folder, which ends with its owner, tells that from work in progress.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tlslab.errors import LabError, in_words, reason_of
from tlslab.pki.authorities import PrivateKey

SET_HOME = "set the environment variable TLSLAB_HOME to a folder that you may write to"
OTHERS = "identities"  # the folder within the folder
DRAFT = ".tlslab-draft-"  # how the name of a folder begins that is being written
Contents = Mapping[str, bytes]  # path within the folder, with slashes -> content
# What cryptography raises for a file that is not what it was. TypeError: the key wants a password.
LARGEST = 2**20  # bytes of a file; the lab's own have a few thousand
DAMAGE = (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion)


# --- writing ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def draft(parent: Path, contents: Contents, failed: str = "", hint: str = SET_HOME) -> Iterator[Path]:
    """Write `contents` into a new folder in `parent`; what is not moved away is gone afterwards.

    LabError, with `failed` and `hint`: an OSError, here or in the `with`.
    """
    with in_words(failed or f"cannot keep the lab's certificates in {parent}", hint):
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _new_draft(parent) as place:
            for name, content in contents.items():
                path = place / name
                path.parent.mkdir(mode=0o700, exist_ok=True)
                write_private(path, content)
            yield place


@contextlib.contextmanager
def _new_draft(parent: Path) -> Iterator[Path]:
    """A new folder, and the lock that says that somebody is at work in it."""
    with contextlib.ExitStack() as stack:
        while True:
            place = Path(mkdtemp(prefix=DRAFT, dir=parent))  # 0700, and a rename keeps it
            stack.callback(shutil.rmtree, place, ignore_errors=True)
            with contextlib.suppress(BlockingIOError, FileNotFoundError):  # whoever tidies up came in between
                stack.enter_context(locked(place, wait=False))
                if place.exists():
                    break
        yield place


def clear_drafts(parent: Path) -> None:
    """Take away what labs that were killed left in `parent`: their drafts, which have keys in them, and nothing else.

    Where there are no locks (Windows, some network drives) nobody knows whether somebody is at work, and they stay.
    """
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        for place in [Path(one) for one in os.scandir(parent) if one.name.startswith(DRAFT)]:
            with contextlib.suppress(OSError), locked(place, wait=False, must=True):
                shutil.rmtree(place)


@contextlib.contextmanager
def locked(folder: Path, *, wait: bool, must: bool = False) -> Iterator[None]:
    """Have a folder to oneself among labs, for as long as this process lives.

    BlockingIOError: another has it, and nobody is to `wait`. Where there are no locks, one goes without, unless one
    `must` have it: OSError.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            if must or isinstance(error, BlockingIOError):
                raise
        yield
    finally:
        os.close(fd)


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


def read_key(path: Path, certificate: x509.Certificate) -> PrivateKey:
    """Read the key of a certificate. LabError: the file is unreadable, damaged, or has another certificate's key alone.

    There are two keys in a file while an authority is made anew.
    """
    public = certificate.public_key()
    try:
        # OpenSSL would spend 27 ms on the question whether the factors are prime.
        keys = [
            load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
            for pem in re.split(rb"(?<=-----)\n+(?=-----BEGIN)", read(path))
        ]
    except DAMAGE as error:
        raise unusable(path, "is damaged: it holds no key that can be read") from error
    for key in keys:
        if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) and key.public_key() == public:
            if isinstance(key, rsa.RSAPrivateKey) and not _is_whole(key.private_numbers()):
                raise unusable(path, "is damaged: the parts of the key do not belong together")
            return key
    raise unusable(path, "is not the key of the certificate beside it")


def _is_whole(key: rsa.RSAPrivateNumbers) -> bool:
    """Whether no number of an RSA key has changed (RFC 8017, 3.2)."""
    below = math.lcm(key.p - 1, key.q - 1)
    return (
        key.p * key.q == key.public_numbers.n
        and key.d * key.public_numbers.e % below == 1
        and (key.dmp1, key.dmq1) == (key.d % (key.p - 1), key.d % (key.q - 1))
        and key.iqmp * key.q % key.p == 1
    )


def read(path: Path) -> bytes:
    """Read a file. LabError: it cannot be read."""
    try:
        if path.exists() and not path.is_file():  # a pipe would be read for ever
            raise unusable(path, "is no file")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise unusable(path, f"cannot be read: {reason_of(error)}") from error
    if len(content) > LARGEST:
        raise unusable(path, "is far too large to be what the lab wrote")
    return content


def check_there(path: Path) -> None:
    """LabError: there is no such file, or nobody can tell."""
    try:
        there = path.is_file()
    except OSError as error:
        raise unusable(path, f"cannot be read: {reason_of(error)}") from error
    if not there:
        raise unusable(path, "is missing")


def check_begin(path: Path, certificate: x509.Certificate, now: datetime) -> None:
    """LabError: the certificate of a file is not valid yet."""
    begin = certificate.not_valid_before_utc
    if begin > now:
        raise unusable(path, f"is valid only from {begin:%Y-%m-%d %H:%M} UTC: is this computer's clock right?")


def unusable(path: Path, why: str) -> LabError:
    """What to say of a file that is not what the lab wrote, and the least that must be thrown away to mend it."""
    if path.parent.name == OTHERS:
        again = "the lab then issues these identities anew; its authorities, and whoever trusts them, are not touched"
        return LabError(f"{path} {why}", f"delete the folder {path.parent} and start again: {again}")
    again = "the lab then makes new certificates, and its clients must trust the new server-ca.pem"
    return LabError(
        f"{path} {why}", f"run tlslab pki reset, or delete the folder {path.parent} and start again: {again}"
    )
