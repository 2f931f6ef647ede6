"""Everything at once, for as long as you like: `python -m bench.faults --minutes 30`. Linux, for it needs prlimit(2).

One lab writes all the evidence there is. Its clients are slow, stuck in the middle of an upload, or gone with a reset.
Meanwhile its disk is full, no descriptor is free, its folder of logs is moved or deleted, it is stopped (SIGSTOP), and
nobody reads its standard output, one after another and together. At the end it has to be alive, its evidence whole and
its memory flat; what was found is printed, and the exit code is 1 where it is not so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from bench.evidence import check_events, check_files, check_memory

PATIENCE_SECONDS = 60.0
LINGER_RESET = struct.pack("ii", 1, 0)
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: slow\r\n\r\n"
BODY_SENT = 64 * 1024
STUCK = b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + bytes(BODY_SENT)
OTHERS = 200  # descriptors of this program and of the lab that are for no connection
TRIED_AGAIN_SECONDS = 5.0  # what waits to be tried again has been
FEWEST_MINUTES = 2.0  # after which memory says something


@dataclass
class Lab:
    """`tlslab serve` in a process of its own, with what is known of it."""

    folder: Path
    process: subprocess.Popen[bytes]
    where: tuple[str, int]
    context: ssl.SSLContext
    done: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, int]] = field(default_factory=list)  # seconds, bytes
    reads_stdout: bool = True

    @property
    def logs(self) -> Path:
        """Its folder of logs."""
        return self.folder / "logs"

    def limit(self, what: int, soft: int | None) -> None:
        """Set a limit of the running process, or take it back (None)."""
        hard = resource.prlimit(self.process.pid, what)[1]
        resource.prlimit(self.process.pid, what, (hard if soft is None else soft, hard))

    def descriptors(self) -> int:
        """How many it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident(self) -> int:
        """Its memory, in bytes."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize()


# --- clients ---------------------------------------------------------------------------------------


class Peer:
    """A TLS client over a trio socket."""

    def __init__(self, lab: Lab, sock: trio.socket.SocketType) -> None:
        self._sock = sock
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = lab.context.wrap_bio(self._in, self._out, server_hostname="localhost")

    async def step(self, act: Callable[[], Any]) -> Any:
        """Do something of TLS, and move the bytes that it takes."""
        while True:
            try:
                result = act()
            except ssl.SSLWantReadError:
                await self._flush()
                if not (data := await self._sock.recv(65536)):
                    raise ConnectionError from None
                self._in.write(data)
            else:
                await self._flush()
                return result

    async def shake_hands(self) -> None:
        """The first handshake."""
        await self.step(self._tls.do_handshake)

    async def write(self, data: bytes) -> None:
        """Send."""
        await self.step(lambda: self._tls.write(data))

    async def read(self) -> bytes:
        """Receive something."""
        data: bytes = await self.step(lambda: self._tls.read(65536))
        return data

    async def _flush(self) -> None:
        waiting = memoryview(self._out.read())
        while waiting:
            waiting = waiting[await self._sock.send(waiting) :]


async def slow(lab: Lab, peer: Peer) -> None:
    """Ask, a few bytes now and then, and read the answer."""
    await peer.shake_hands()
    for start in range(0, len(GET), 12):
        await peer.write(GET[start : start + 12])
        await trio.sleep(random.uniform(0.2, 2.0))
    lab.done["answers to slow clients"] += (await peer.read()).startswith(b"HTTP/1.1 200")


async def stuck(lab: Lab, peer: Peer) -> None:
    """Upload without a certificate in hand's reach, until the lab resets."""
    await peer.shake_hands()
    await peer.write(STUCK)
    with contextlib.suppress(ConnectionError):
        while await peer.read():
            pass
    lab.done["uploads that were reset"] += 1


async def reset(lab: Lab, peer: Peer) -> None:
    """Leave at any moment."""
    with trio.move_on_after(random.uniform(0.0, 0.1)):
        await peer.shake_hands()
        await peer.write(random.choice((GET, STUCK, b"nonsense\r\n\r\n")))
        await peer.read()
    lab.done["clients gone with a reset"] += 1


async def again_and_again(lab: Lab, act: Callable[[Lab, Peer], Awaitable[None]], pause: float) -> None:
    """One client after another."""
    while True:
        with (
            contextlib.suppress(OSError),
            trio.move_on_after(PATIENCE_SECONDS * 3),
            trio.socket.socket() as sock,
        ):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
            await sock.connect(lab.where)
            await act(lab, Peer(lab, sock))
        await trio.sleep(random.uniform(0.5, 1.5) * pause)


# --- faults ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def full_disk(lab: Lab) -> Any:
    """No file grows beyond the size of one of them, which first has room for a piece and a half."""
    paths = [lab.folder / "lab.pcapng", lab.folder / "events.jsonl", *lab.folder.glob("logs/*")]
    sizes = [path.stat().st_size for path in paths]
    lab.limit(resource.RLIMIT_FSIZE, random.choice(sizes) + random.randrange(3000))
    yield
    lab.limit(resource.RLIMIT_FSIZE, None)


@contextlib.contextmanager
def no_descriptor(lab: Lab) -> Any:
    """Not one more may be opened; the logs have to be."""
    lab.limit(resource.RLIMIT_NOFILE, min(20, lab.descriptors()))
    with contextlib.suppress(OSError):
        for path in lab.logs.iterdir():
            path.unlink()
    yield
    lab.limit(resource.RLIMIT_NOFILE, None)


@contextlib.contextmanager
def logs_moved(lab: Lab) -> Any:
    """The folder of logs is taken away and put back."""
    away = lab.folder / "away"
    lab.logs.rename(away)
    yield
    away.rename(lab.logs)


@contextlib.contextmanager
def logs_deleted(lab: Lab) -> Any:
    """The folder of logs is deleted, and made again."""
    shutil.rmtree(lab.logs)
    yield
    lab.logs.mkdir()


@contextlib.contextmanager
def stopped(lab: Lab) -> Any:
    """The lab does not run."""
    lab.process.send_signal(signal.SIGSTOP)
    yield
    lab.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def stdout_unread(lab: Lab) -> Any:
    """Nobody reads what the lab shows."""
    lab.reads_stdout = False
    yield
    lab.reads_stdout = True


FAULTS = (
    (full_disk,),
    (no_descriptor,),
    (logs_moved,),
    (logs_deleted,),
    (stopped,),
    (stdout_unread,),
    (full_disk, no_descriptor, stdout_unread),
    (logs_moved, full_disk, stopped),
    (no_descriptor, logs_deleted),
)


async def make_trouble(lab: Lab, fault_seconds: float) -> None:
    """One fault after another, and some together, each for so long, and half of that between them."""
    while True:
        for together in FAULTS:
            with contextlib.ExitStack() as faults:
                for fault in together:
                    faults.enter_context(fault(lab))
                    lab.done[f"fault {fault.__name__}"] += 1
                with trio.CancelScope(shield=True):  # what is broken is mended
                    await trio.sleep(fault_seconds)
            await trio.sleep(fault_seconds / 2)


# --- the run ---------------------------------------------------------------------------------------


def start(folder: Path, speed: float) -> Lab:
    """Start a lab, and wait until it listens."""
    ready_file = folder / "ready.json"
    words = [sys.executable, "-m", "tlslab", "serve", "--scenario", "large-post-deadlock", "--port", "0"]
    words += ["--speed", f"{speed:g}", "--events", str(folder / "events.jsonl"), "--pcapng", str(folder / "lab.pcapng")]
    words += ["--keylog", str(folder / "keys"), "--logs", str(folder / "logs"), "--ready-file", str(ready_file)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=(folder / "stderr").open("wb"))
    while not ready_file.exists():
        if process.poll() is not None:
            raise SystemExit((folder / "stderr").read_text())
        time.sleep(0.05)
    ready = json.loads(ready_file.read_text())
    first = ready["bindings"][0]
    context = ssl.create_default_context(cafile=ready["ca_file"])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return Lab(folder, process, (first["host"], first["port"]), context)


async def read_stdout(lab: Lab) -> None:
    """Read what the lab shows, and keep it, while somebody is to read it."""
    assert lab.process.stdout is not None
    os.set_blocking(lab.process.stdout.fileno(), False)
    with (lab.folder / "stdout").open("ab") as kept:
        while True:
            with contextlib.suppress(BlockingIOError):
                while lab.reads_stdout and (data := os.read(lab.process.stdout.fileno(), 65536)):
                    kept.write(data)
            await trio.sleep(0.05)


async def watch(lab: Lab, began: float) -> None:
    """Note the lab's memory."""
    while lab.process.poll() is None:
        lab.memory.append((time.monotonic() - began, lab.resident()))
        await trio.sleep(1.0)


async def is_answered(lab: Lab) -> bool:
    """Whether a client that has patience is answered now."""
    with trio.move_on_after(PATIENCE_SECONDS), trio.socket.socket() as sock:
        await sock.connect(lab.where)
        peer = Peer(lab, sock)
        await peer.shake_hands()
        await peer.write(GET)
        return (await peer.read()).startswith(b"HTTP/1.1 200")
    return False


async def run(lab: Lab, seconds: float, clients: int, fault_seconds: float) -> bool:
    """Let it all happen; whether the lab answers afterwards."""
    began = time.monotonic()
    async with trio.open_nursery() as for_all_of_it:
        for_all_of_it.start_soon(read_stdout, lab)
        for_all_of_it.start_soon(watch, lab, began)
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                for act, count, pause in ((slow, clients, 1.0), (stuck, clients, 1.0), (reset, 20, 0.5)):
                    for _ in range(count):
                        nursery.start_soon(again_and_again, lab, act, pause)
                nursery.start_soon(make_trouble, lab, fault_seconds)
        await trio.sleep(TRIED_AGAIN_SECONDS)
        answered = lab.process.poll() is None and await is_answered(lab)
        lab.process.send_signal(signal.SIGTERM)
        ending = time.monotonic()
        while lab.process.poll() is None and time.monotonic() < ending + PATIENCE_SECONDS:  # noqa: ASYNC110
            await trio.sleep(0.01)
        lab.done["ms to its end"] = round((time.monotonic() - ending) * 1000)
        await trio.sleep(0.2)  # its last words are read
        for_all_of_it.cancel_scope.cancel()
    return answered


def main() -> None:
    """Run, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=500, help="so many slow ones, and so many stuck ones")
    parser.add_argument("--speed", type=float, default=2.0, help="of the lab's clock")
    parser.add_argument("--fault-seconds", type=float, default=4.0, help="how long each fault lasts")
    parser.add_argument("--keep", type=Path, help="a new folder for the evidence, which is left there")
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients = min(given.clients, (hard - OTHERS) // 2)
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = given.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        lab = start(folder, given.speed)
        try:
            answered = trio.run(run, lab, given.minutes * 60, clients, given.fault_seconds)
        finally:
            lab.process.kill()
            lab.process.wait()
        wrong = [] if answered else ["no answer at the end"]
        wrong += [f"it ended with {lab.process.returncode}"] * (lab.process.returncode != 0)
        wrong += [f"it said {said!r}" for said in (folder / "stderr").read_text().splitlines()[:20]]
        wrong += check_events(folder, lab.done) + check_files(folder, lab.done)
        if given.minutes >= FEWEST_MINUTES:
            wrong += check_memory(lab.memory, lab.done)
    said = [f"{given.minutes:g} minutes, {clients} slow and {clients} stuck clients, speed {given.speed:g}"]
    said += [f"  {count:>12,}  {what}" for what, count in lab.done.items()]
    sys.stdout.write("\n".join([*said, *(wrong[:50] or ["alive, whole and flat"]), ""]))
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
