"""tshark, which is asked for the TLS and HTTP messages of a capture, whatever its user has set."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tlslab.errors import LabError, in_words
from tlslab.trace.frames import Frame
from tlslab.trace.http import with_http
from tlslab.trace.pdml import KEPT, read_pdml

CHUNK = 1 << 16
# A TLS record of type handshake that begins with a ClientHello.
CLIENT_HELLO = "tcp.payload[0:2] == 16:03 && tcp.payload[5:1] == 01"
OPTIONS = (("tcp.reassemble_out_of_order", "TRUE"),)
# What is in TLS is wanted as it is (trace.http reads it): ALPN and guesses would give it to these.
NOT_WANTED = ("http", "http2", "credssp", "fix", "mq", "rdpmt")
INSTALL = (
    "Debian and Ubuntu: apt install tshark. Windows and macOS: install Wireshark, which has it. It must be in PATH"
)


@dataclass(frozen=True, slots=True)
class Trace:
    """The TLS connections' frames, and what a person should know about the capture, in sentences."""

    frames: tuple[Frame, ...]
    notes: tuple[str, ...] = ()


def find_tshark() -> str:
    """The program; LabError where there is none. Windows' installer puts it beside Wireshark and not into PATH."""
    folders = [os.environ.get(name, "") for name in ("ProgramFiles", "ProgramW6432", "ProgramFiles(x86)")]
    places = [os.path.join(folder, "Wireshark") for folder in folders if folder]
    found = shutil.which("tshark") or shutil.which("tshark", path=os.pathsep.join(places))
    if found is None:
        raise LabError("tshark is needed to read a capture, and it is not installed", INSTALL)
    return found


def read_trace(capture: Path, key_log: Path | None = None) -> Trace:
    """Every TCP connection of a capture in which a ClientHello is; LabError where there is nothing to read.

    Args:
        capture: pcapng, pcap, or whatever else tshark reads.
        key_log: TLS secrets (NSS format), beside those that the capture has itself.
    """
    if not _has_content(capture, "the capture"):
        raise LabError(f"the capture {capture} is empty", "was it written to its end?")
    notes = []
    if key_log is not None and not _has_content(key_log, "the key log"):
        notes.append(f"the key log {key_log} is empty: SSLKEYLOGFILE was perhaps not set where the client ran")
    with tempfile.TemporaryDirectory(prefix="tlslab-") as settings:
        tshark = _Tshark(find_tshark(), capture, key_log, settings)
        ports = tshark.tls_ports()
        frames = tuple(tshark.frames(ports))
    return Trace(frames, (*notes, *tshark.notes, *_notes(frames)))


def _has_content(path: Path, what: str) -> bool:
    with in_words(f"cannot read {what} {path}"):
        if path.exists() and not path.is_file() and not path.is_dir():
            raise LabError(f"{what} {path} is no file", "give a file: it is read more than once")
        with path.open("rb") as file:
            return bool(file.read(1))


def _is_text(path: Path) -> bool:
    """Whether it begins with nothing but printable ASCII: tshark takes some of that for captures of another kind."""
    with path.open("rb") as file:
        return re.fullmatch(rb"[\t\n\r -~]+", file.read(512)) is not None


def _no_capture(path: Path) -> LabError:
    return LabError(f"{path} is not a capture", "give a file of Wireshark, dumpcap, tcpdump or --pcapng")


def _notes(frames: Sequence[Frame]) -> Iterator[str]:
    if cut := sum(frame.cut_bytes > 0 for frame in frames):
        yield (
            f"{cut:,} packets are only in part in the capture (a snapshot length was set); TLS cannot be read behind "
            "the first of them"
        )
    if lost := sum(frame.lost_before for frame in frames):
        yield f"packets are missing from the capture in {lost:,} places; what is behind them may not decrypt"


class _Tshark:
    def __init__(self, program: str, capture: Path, key_log: Path | None, settings: str) -> None:
        self._capture = capture
        self._command = [program, "-n", "-r", str(capture.absolute())]
        if key_log is not None:
            self._command += ["-o", f"tls.keylog_file:{key_log.absolute()}"]
        for name, value in OPTIONS:
            self._command += ["-o", f"{name}:{value}"]
        self._environment = {**os.environ, "LC_ALL": "C", "LANGUAGE": "C", "WIRESHARK_CONFIG_DIR": settings}
        Path(settings, "disabled_protos").write_text("".join(f"{name}\n" for name in NOT_WANTED), encoding="ascii")
        self._complaints = Path(settings, "complaints")
        self.notes: list[str] = []

    def tls_ports(self) -> list[int]:
        """The ports that a ClientHello was sent to: a lab listens anywhere, and tshark knows only 443 and a few."""
        with self._run("-Y", CLIENT_HELLO, "-T", "fields", "-e", "tcp.dstport") as chunks:
            ports = b"".join(chunks).replace(b",", b" ").split()
        if not ports:
            self._say_why_nothing()
        return sorted({int(port) for port in ports if port.isdigit()})

    def _say_why_nothing(self) -> None:
        with self._run("-Y", "tcp", "-T", "fields", "-e", "frame.number") as chunks:
            has_tcp = bool(b"".join(chunks).strip())
        if not has_tcp and _is_text(self._capture):
            raise _no_capture(self._capture)
        if not has_tcp:
            raise LabError(f"there is no TCP packet in {self._capture}", "is it a capture, written to its end?")
        raise LabError(
            f"there is no TLS handshake in {self._capture}",
            "start the capture before the client connects; plain HTTP, QUIC (HTTP/3) and SSL 2.0 are not read",
        )

    def frames(self, ports: Sequence[int]) -> Iterator[Frame]:
        """Everything on these ports, decoded as TLS with HTTP in it."""
        decode = [word for port in ports for word in ("-d", f"tcp.port=={port},tls", "-d", f"tls.port=={port},data")]
        wanted = " || ".join(f"tcp.port == {port}" for port in ports)
        with self._run(*decode, "-Y", wanted, "-T", "pdml", "-j", KEPT) as chunks:
            yield from with_http(read_pdml(chunks))

    @contextmanager
    def _run(self, *words: str) -> Iterator[Iterator[bytes]]:
        """Run tshark; what it prints, in pieces. What it complains of becomes a note, or a LabError."""
        with self._complaints.open("wb") as complaints, in_words(f"cannot start {self._command[0]}", INSTALL):
            process = subprocess.Popen(
                [*self._command, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=self._environment,
            )
        with process:
            assert process.stdout is not None
            try:
                yield iter(partial(process.stdout.read, CHUNK), b"")
            except BaseException:
                process.kill()
                raise
        self._judge(process.returncode)

    def _judge(self, code: int) -> None:
        said = self._complaints.read_text("utf-8", "replace")
        if code == 0:
            return
        line = next((line for line in reversed(said.splitlines()) if line.startswith("tshark:")), f"exit code {code}")
        line = line.removeprefix("tshark: ").replace(str(self._capture.absolute()), str(self._capture))
        if "cut short" in line:
            self._note("the capture ends in the middle of a packet; what is before it was read")
        elif "damaged or corrupt" in line:
            self._note(f"the capture is damaged, and only what is before the damage was read ({line})")
        elif "isn't a capture file" in line:
            raise _no_capture(self._capture)
        else:
            raise LabError(f"tshark cannot read {self._capture}: {line}")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
