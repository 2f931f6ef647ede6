"""The steps of a scenario as command lines that can be copied and pasted, into bash and into cmd.exe alike."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from tlslab.errors import in_words
from tlslab.lab.shell import join
from tlslab.pki.files import SET_HOME
from tlslab.pki.store import IdentityFiles
from tlslab.scenario.schema import Step
from tlslab.text import format_bytes, parse_host_port

NOBODY = "none"
OF_THE_INTERMEDIATE = ("leaf-only", "full-chain")  # one certificate, in two files: without and with those above it
OLD_TLS = frozenset({"TLS1.0", "TLS1.1"})
EVERY_LEVEL = "DEFAULT:@SECLEVEL=0"  # above that level OpenSSL leaves them out
PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")  # curl would ask it for localhost, too


@dataclass(frozen=True, slots=True)
class Destination:
    """How a client reaches a binding: the URL's beginning, and where to connect if its name is not in DNS.

    `protocols` are those it speaks, by their names in a scenario; none for one without its certificate. `by_address`
    is where it listens, as numbers and port.
    """

    url: str
    connect_to: str = ""
    protocols: tuple[str, ...] = ("TLS1.2",)
    by_address: str = ""

    @property
    def authority(self) -> str:
        """`localhost:8443`."""
        return self.url.removeprefix("https://")

    @property
    def is_old(self) -> bool:
        """Whether it speaks nothing newer than TLS 1.1, which clients of today leave out unless told otherwise."""
        return bool(self.protocols) and OLD_TLS.issuperset(self.protocols)


class SentFiles(Protocol):
    """Makes the files that command lines send."""

    def upload(self, size: int) -> Path:
        """A file of that many bytes."""

    def token(self, step: Step) -> Path:
        """A file with the header that carries the token of a step."""


@dataclass(frozen=True, slots=True)
class FilesIn:
    """Makes them under a folder, where they are not there. LabError: one cannot be made."""

    folder: Path

    def upload(self, size: int) -> Path:
        """A file of `size` zero bytes."""
        return _file(self.folder / f"{_size(size)}.bin", size, lambda file: file.truncate(size))

    def token(self, step: Step) -> Path:
        """A file with the header."""
        header = f"Authorization: {step.authorization}\n".encode()
        return _file(self.folder / f"token-{_size(step.token)}.txt", len(header), lambda file: file.write(header))


@dataclass(frozen=True, slots=True)
class Curl:
    """Writes command lines for one running lab, whose clock is `speed` times as fast.

    Into `session_file` a client that comes back writes its session.
    """

    ca_file: Path
    identities: Mapping[str, IdentityFiles]
    addresses: Mapping[str | None, Destination]
    files: SentFiles
    session_file: Path = Path("session.pem")
    speed: float = 1.0

    def lines(self, steps: Iterable[Step]) -> list[str]:
        """One command line for each connection; requests that share one are joined by --next.

        curl cannot refuse to renegotiate, nor leave the offer of post-handshake authentication out, so such a step is a
        line for `openssl s_client`, and for bash alone. Nor does curl look at the list of issuers, or insist on
        close_notify; wget does. Nor does curl wait with a connection open and not look at it; Python's http.client
        does. And curl forgets a session when it ends: where clients come back, every line is for
        `openssl s_client` and bash.
        """
        steps = list(steps)
        if comes_back(steps):
            return list(self._visits(connections(steps)))
        lines: list[str] = []
        for connection in connections(steps):
            if connection[0].wait:
                lines.append(self._sleep(connection[0].wait))
            if waits_between(connection):
                lines.append(join(["python3", "-c", self._python(connection)]))
            elif not connection[0].post_handshake_auth:
                lines.append(self._s_client(connection, ["-quiet", "-ignore_unexpected_eof"]))
            elif connection[0].renegotiation == "refuse":
                lines.append(self._s_client(connection, ["-no_renegotiation", "-quiet"]))
            elif connection[0].filters_by_issuer or connection[0].insists_on_close_notify:
                lines.append(join(self._wget(connection)))
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
        usual = self.addresses[step.binding]
        address = called(usual, step.sni)
        words = ["--noproxy", "*"] if any(os.environ.get(name) for name in PROXIES) else []
        words += ["--cacert", str(self.ca_file)]
        if address.connect_to:
            words += ["--connect-to", f"{address.authority}:{address.connect_to}"]
        if address.is_old:
            words += ["--tlsv1.0", "--ciphers", EVERY_LEVEL]
        if address is not usual:
            words += ["-H", f"Host: {usual.authority}"]
            # The lab's own client does not look for the name in the certificate, which need not have it.
            words += ["--insecure"] if step.sni else []
        if step.identity != NOBODY:
            files = self.identities[shown_by(step)]
            words += ["--cert", str(files.cert_file), "--key", str(files.key_file)]
        words += self._body(step)
        words += self._headers(step)
        words += self._patience(step)
        if any(character in step.target for character in "[]{}"):
            words.append("--globoff")
        return [*words, f"{address.url}{step.target}"]

    def _headers(self, step: Step) -> list[str]:
        words = [word for name, value in step.headers.items() for word in ("-H", f"{name}: {value}")]
        return [*words, "-H", f"@{self.files.token(step)}"] if step.token else words

    def _patience(self, step: Step) -> list[str]:
        words = ["--retry", str(step.retries), "--retry-all-errors"] if step.retries else []
        if step.pace is not None:
            words += ["--limit-rate", str(math.ceil(step.pace * self.speed))]
        if step.gives_up_after is not None:
            words += ["-m", f"{step.gives_up_after:g}"]
        return words

    def _body(self, step: Step) -> list[str]:
        words = {"GET": [], "POST": [], "HEAD": ["-I"]}.get(step.method, ["-X", step.method])
        if not step.body:
            return [*words, "-d", ""] if step.method in ("POST", "PUT") else words
        # curl adds the header by itself above 1 MiB, and escapes; an empty one turns that off.
        expects = step.expect_100 is not None
        words = [*words, "-H", "Expect: 100-continue" if expects else "Expect:"]
        if step.chunked:
            words += ["-H", "Transfer-Encoding: chunked"]
        return [*words, "--data-binary", f"@{self.files.upload(step.body)}"]

    def _wget(self, connection: list[Step]) -> list[str]:
        """The requests of one connection, all with the first one's method and body, for wget knows one for all."""
        first = connection[0]
        words = ["wget", "-q", "-O", "-", "--tries", "1", "--content-on-error", "--ca-certificate", str(self.ca_file)]
        if first.identity != NOBODY:
            files = self.identities[shown_by(first)]
            words += ["--certificate", str(files.cert_file), "--private-key", str(files.key_file)]
        words += ["--method", first.method] if first.method != "GET" else []
        words += ["--body-file", str(self.files.upload(first.body))] if first.body else []
        return words + [f"{self.addresses[step.binding].url}{step.target}" for step in connection]

    def _visits(self, visits: list[list[Step]]) -> Iterator[str]:
        """The connections of a client that comes back, and what happens in between; each says New or Reused."""
        for number, visit in enumerate(visits):
            yield from self._meanwhile(visit[0])
            words = ["-tls1_2", "-no_ticket", "-sess_out", str(self.session_file)]
            words += ["-sess_in", str(self.session_file)] if visit[0].resumes and number else []
            # http.sys closes without close_notify, of which OpenSSL 3 would complain.
            words += ["-ign_eof", "-ignore_unexpected_eof", "-verify_quiet"]
            yield f"{self._s_client(visit, words)} | grep -E '^(New|Reused),'"

    def _meanwhile(self, step: Step) -> Iterator[str]:
        """What happens before a step: other clients come, time passes."""
        if step.others:
            client = join([*self._connect(step), "-tls1_2", "-no_ticket"])
            yield f"for i in $(seq {step.others}); do {client} < /dev/null > /dev/null 2>&1; done"
        if step.wait:
            yield self._sleep(step.wait)

    def _sleep(self, seconds: float) -> str:
        return f"sleep {self._scaled(seconds)}"

    def _scaled(self, seconds: float) -> str:
        """Lab time on somebody's watch, not less."""
        return f"{math.ceil(1000 * seconds / self.speed) / 1000:.10g}"

    def _python(self, connection: list[Step]) -> str:
        """The requests of one connection as a program of one line, without a double quote for cmd.exe's sake."""
        first = connection[0]
        host, port = parse_host_port(self.addresses[first.binding].authority)
        says = ["import http.client, ssl, time", f"t = ssl.create_default_context(cafile={str(self.ca_file)!r})"]
        if first.identity != NOBODY:
            files = self.identities[shown_by(first)]
            says.append(f"t.load_cert_chain({str(files.cert_file)!r}, {str(files.key_file)!r})")
        says.append(f"c = http.client.HTTPSConnection({host!r}, {port}, context=t)")
        for step in connection:
            says += [f"time.sleep({self._scaled(step.wait)})"] if step.wait and step is not first else []
            body = f", bytes({step.body})" if step.body else ""
            says.append(f"c.request({step.method!r}, {step.target!r}{body})")
            says.append("r = c.getresponse()")
            says.append("print(r.status, len(r.read()))")
        return "; ".join(says)

    def _s_client(self, connection: list[Step], options: list[str]) -> str:
        """The requests of one connection, with what happens between them."""
        says: list[str] = []
        for step in connection:
            says += self._meanwhile(step) if says else []
            says += self._say(step, is_last=step is connection[-1])
        words = [*self._connect(connection[0]), "-CAfile", str(self.ca_file)]
        if connection[0].identity != NOBODY:
            files = self.identities[shown_by(connection[0])]
            words += ["-cert", str(files.cert_file), "-key", str(files.key_file)]
        said = says[0] if len(says) == 1 else f"({'; '.join(says)})"
        return f"{said} | {join([*words, *options])}"

    def _connect(self, step: Step) -> list[str]:
        address = self.addresses[step.binding]
        name, _ = parse_host_port(address.authority)
        words = ["openssl", "s_client", "-connect", address.connect_to or address.authority]
        words += ["-cipher", EVERY_LEVEL] if address.is_old else []
        if step.sni is False:
            return [*words, "-noservername"]
        return words + (["-servername", step.sni or name] if step.sni or ":" not in name else [])

    def _say(self, step: Step, *, is_last: bool) -> list[str]:
        """A request; its body is announced by its length and is not held back."""
        headers = [f"{step.request} HTTP/1.1", f"Host: {self.addresses[step.binding].authority}"]
        headers = [line for line in headers if line.partition(":")[0] not in step.headers]
        headers += [f"{name}: {value}" for name, value in step.headers.items()]
        headers += [f"Authorization: {step.authorization}"] if step.token else []
        headers += [f"Content-Length: {step.body}"] if step.body or step.method in ("POST", "PUT") else []
        headers += ["Connection: close"] if is_last else []
        head = "".join(rf"{line}\r\n" for line in [*headers, ""])
        return [f"printf '{head.replace('%', '%%')}'", *([f"head -c {step.body} /dev/zero"] if step.body else [])]


def called(address: Destination, sni: str | bool | None) -> Destination:
    """The same place under the name that a client says: curl says that of the URL, and none where it is an address."""
    usual, port = parse_host_port(address.authority)
    if sni in (None, usual):
        return address
    if not sni:
        return replace(
            address, url=f"https://{address.by_address or address.connect_to or address.authority}", connect_to=""
        )
    where = address.connect_to or address.by_address or address.authority
    return replace(address, url=f"https://{sni}:{port}", connect_to=where)


def shown_by(step: Step) -> str:
    """The identity whose file holds what the client of this step sends of its chain, as far as there is one."""
    if step.identity in OF_THE_INTERMEDIATE and step.sends is not None:
        return "leaf-only" if step.sends == "leaf" else "full-chain"
    return step.identity


def shows_exactly(step: Step) -> bool:
    """Whether that file holds just what the step sends: each holds all up to the root, and leaf-only's the leaf."""
    return step.sends in (None, "leaf" if shown_by(step) == "leaf-only" else "all")


def comes_back(steps: Iterable[Step]) -> bool:
    """Whether a client comes back with a session, or others come between its steps."""
    return any(step.resumes or step.others for step in steps)


def waits_between(connection: Sequence[Step]) -> bool:
    """Whether time passes between the requests of one connection."""
    return any(step.wait for step in connection[1:])


def connections(steps: Iterable[Step]) -> list[list[Step]]:
    """The steps by the connection they take."""
    taken: list[list[Step]] = []
    for step in steps:
        if step.same_connection and taken:
            taken[-1].append(step)
        else:
            taken.append([step])
    return taken


def _size(size: int) -> str:
    return format_bytes(size).replace(" ", "").replace(",", "")


def _file(path: Path, size: int, fill: Callable[[BinaryIO], object]) -> Path:
    with in_words(f"cannot make {path}, which the printed commands send", SET_HOME):
        if not path.is_file() or path.stat().st_size != size:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.{os.getpid()}")
            with draft.open("wb") as file:
                fill(file)
            os.replace(draft, path)  # whatever stands in its place: a pipe would be waited for
    return path
