"""The steps of a scenario as command lines that can be copied and pasted, into bash and into cmd.exe alike."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tlslab.errors import LabError
from tlslab.knobs import format_bytes
from tlslab.pki.store import IdentityFiles
from tlslab.scenario.schema import Step

NOBODY = "none"


@dataclass(frozen=True, slots=True)
class Address:
    """How a client reaches a binding: the URL's beginning, and where to connect if its name is not in DNS."""

    url: str
    connect_to: str = ""

    @property
    def authority(self) -> str:
        """`localhost:8443`."""
        return self.url.removeprefix("https://")


@dataclass(frozen=True, slots=True)
class Curl:
    """Writes command lines for one running lab. `upload_file` gives a file of that many bytes."""

    ca_file: Path
    identities: Mapping[str, IdentityFiles]
    addresses: Mapping[str | None, Address]
    upload_file: Callable[[int], Path]

    def lines(self, steps: Iterable[Step]) -> list[str]:
        """One command line for each connection; requests that share one are joined by --next.

        curl cannot refuse to renegotiate, so such a step is a line for `openssl s_client`, and for bash alone.
        """
        lines: list[str] = []
        for connection in connections(steps):
            if connection[0].renegotiation == "refuse":
                lines.append(self._s_client(connection[0]))
            else:
                lines.append(join(self.command(connection)))
        return lines

    def command(self, connection: Iterable[Step]) -> list[str]:
        """One connection's requests as the arguments of curl."""
        words: list[str] = []
        for step in connection:
            words += ["--next" if words else "curl", *self._request(step)]
        return words

    def _request(self, step: Step) -> list[str]:
        address = self.addresses[step.binding]
        words = ["--cacert", str(self.ca_file)]
        if address.connect_to:
            words += ["--connect-to", f"{address.authority}:{address.connect_to}"]
        if step.identity != NOBODY:
            files = self.identities[step.identity]
            words += ["--cert", str(files.cert_file), "--key", str(files.key_file)]
        words += self._body(step)
        if step.gives_up_after is not None:
            words += ["-m", f"{step.gives_up_after:g}"]
        if any(character in step.target for character in "[]{}"):
            words.append("--globoff")
        return [*words, f"{address.url}{step.target}"]

    def _body(self, step: Step) -> list[str]:
        words = {"GET": [], "POST": [], "HEAD": ["-I"]}.get(step.method, ["-X", step.method])
        if not step.body:
            return [*words, "-d", ""] if step.method in ("POST", "PUT") else words
        # curl adds the header by itself above 1 MiB, and escapes; an empty one turns that off.
        expects = step.expect_100 is not None
        words = [*words, "-H", "Expect: 100-continue" if expects else "Expect:"]
        if step.chunked:
            words += ["-H", "Transfer-Encoding: chunked"]
        return [*words, "--data-binary", f"@{self.upload_file(step.body)}"]

    def _s_client(self, step: Step) -> str:
        address = self.addresses[step.binding]
        name = address.authority.rpartition(":")[0]
        request = rf"{step.request} HTTP/1.1\r\nHost: {address.authority}\r\nConnection: close\r\n\r\n"
        words = ["openssl", "s_client", "-connect", address.connect_to or address.authority]
        words += ["-servername", name] if not name.startswith("[") else []
        words += ["-CAfile", str(self.ca_file)]
        if step.identity != NOBODY:
            files = self.identities[step.identity]
            words += ["-cert", str(files.cert_file), "-key", str(files.key_file)]
        return f"printf '{request.replace('%', '%%')}' | {join([*words, '-no_renegotiation', '-quiet'])}"


def connections(steps: Iterable[Step]) -> list[list[Step]]:
    """The steps by the connection they take."""
    taken: list[list[Step]] = []
    for step in steps:
        if step.same_connection and taken:
            taken[-1].append(step)
        else:
            taken.append([step])
    return taken


def upload_file(folder: Path, size: int) -> Path:
    """A file of `size` zero bytes under `folder`, made if it is not there: what curl uploads.

    LabError: it cannot be made.
    """
    path = folder / f"{format_bytes(size).replace(' ', '').replace(',', '')}.bin"
    try:
        if not path.is_file() or path.stat().st_size != size:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.truncate(size)
    except OSError as error:
        raise LabError(
            f"cannot make {path}, which the printed commands upload: {error.strerror}",
            "set the environment variable TLSLAB_HOME to a folder that you may write to",
        ) from None
    return path


def join(words: Iterable[str]) -> str:
    """Write arguments as a command line: in double quotes, which bash and cmd.exe share, as far as they will do."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    if (
        word
        and not word.endswith(":")
        and all(character.isalnum() or character in "-_./:@=,+%\\" for character in word)
    ):
        return word if os.name == "nt" or "\\" not in word else shlex.quote(word)
    if os.name == "nt" or not any(character in word for character in '"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)
