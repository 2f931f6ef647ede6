"""The authority that people let their programs trust, as it is kept: how far it goes, and when it is made anew.

It lives for a year and vouches for few names, both for the sake of who trusts it. So it is made anew shortly before its
end, and when a lab is to have a name that it may not vouch for: with another key, and the old key is deleted. Then what
still trusts the old one trusts something that nobody can use.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tlslab.errors import LabError
from tlslab.pki.authorities import Authority, make_server_authority
from tlslab.pki.export import certificates_pem, key_pem
from tlslab.pki.files import check_begin, draft, locked, read_chain, read_key
from tlslab.pki.identities import AUTHORITY_MARGIN
from tlslab.pki.names import added, limits_of, outside

CERTIFICATE, KEY = "server-ca.pem", "server-ca-key.pem"
IMPORTED_ANEW = (
    "Programs that are given the file {file} need nothing. Where it was copied or imported (a browser, Windows, Java), "
    "do that again, and take the old one out. A lab that is running now keeps the old one until it is started again."
)


class ServerAuthority:
    """The server authority in `folder`, opened at `now`; `news` has what a person must be told of it, in sentences.

    LabError: a file is missing, unreadable, damaged, or from the future.
    """

    def __init__(self, folder: Path, now: datetime) -> None:
        self._folder = folder
        self._now = now
        self.news: list[str] = []
        self.authority = self._read()
        self.cover(())

    def cover(self, names: Sequence[str]) -> None:
        """See to it that servers with these names can be vouched for. UsageProblem: one that cannot be a name."""
        if self._wanting(names):
            with locked(self._folder, wait=True):
                self.authority = self._read_once()  # another lab may have been faster
                if why := self._wanting(names):
                    old = self.authority.certificate
                    self._make_anew([*self.added, *self.outside(names)])
                    if old.not_valid_before_utc < self.authority.certificate.not_valid_before_utc:
                        self._tell(why)  # else nobody can have seen it yet

    def remake(self) -> None:
        """Make it anew, for this machine's own names alone."""
        with locked(self._folder, wait=True):
            self.authority = self._read_once()
            self._make_anew(())
            self._tell("There is a new server authority.")

    @property
    def added(self) -> list[str]:
        """The names that it vouches for beyond this machine's own."""
        return added(limits_of(self.authority.certificate) or ())

    @property
    def vouches_for(self) -> list[str] | None:
        """All that it vouches for: host names with what is below them, and networks; None for anything, as once."""
        permitted = limits_of(self.authority.certificate)
        return None if permitted is None else [str(one.value) for one in permitted]

    def outside(self, names: Sequence[str]) -> list[str]:
        """Those of the names that it may not vouch for."""
        return outside(names, limits_of(self.authority.certificate))

    def _wanting(self, names: Sequence[str]) -> str:
        """Why it will not do, in a sentence; "" where it will."""
        end = self.authority.certificate.not_valid_after_utc
        if end < self._now + AUTHORITY_MARGIN:
            return f"The lab's server authority ends on {end:%Y-%m-%d}, so a new one was made, for a year."
        if missing := self.outside(names):
            return f"The lab's server authority could not vouch for {', '.join(missing)}, so one was made that can."
        return ""

    def _make_anew(self, names: Sequence[str]) -> None:
        """Put another in its place, in steps between which a lab that is killed leaves something that can be used."""
        old = self.authority
        made = make_server_authority(_next_name(old), self._now, names)
        certificate, key = certificates_pem([made.certificate]), key_pem(made.key)
        with draft(self._folder, {"both": key + key_pem(old.key), CERTIFICATE: certificate, KEY: key}) as place:
            for name, target in (("both", KEY), (CERTIFICATE, CERTIFICATE), (KEY, KEY)):
                os.replace(place / name, self._folder / target)
        self.authority = made

    def _tell(self, why: str) -> None:
        self.news.append(f"{why} {IMPORTED_ANEW.format(file=self._folder / CERTIFICATE)}")

    def _read(self) -> Authority:
        try:
            return self._read_once()
        except LabError:
            with contextlib.suppress(OSError), locked(self._folder, wait=True):
                return self._read_once()  # it was being made anew at that moment
            raise

    def _read_once(self) -> Authority:
        path = self._folder / CERTIFICATE
        certificate = read_chain(path)[0]
        check_begin(path, certificate, self._now)
        return Authority(certificate, read_key(self._folder / KEY, certificate))


def _next_name(old: Authority) -> str:
    """Another name than the old one's, by which people tell them apart: `tlslab Server CA 33d79fe1-2`."""
    name = old.certificate.subject.rfc4514_string().removeprefix("CN=")
    stem, _, number = name.partition("-")
    return f"{stem}-{int(number or 1) + 1}"
