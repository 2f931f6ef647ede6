"""Asks a probe's questions over real sockets, one connection at a time, by trio's clock."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import suppress

import trio

from tlslab.errors import LabError
from tlslab.net.readiness import first_of
from tlslab.probe.call import Call, Enquiry, Reply
from tlslab.probe.questions import Look
from tlslab.probe.seen import Portrait
from tlslab.text import format_count, format_host_port
from tlslab.tls.offers import Shows

CONNECT_SECONDS = 10.0  # of trio's clock
CHUNK = 64 * 1024
# trio's own text names the address as Python writes it.
REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.EHOSTUNREACH: "no route to it",
    errno.ENETUNREACH: "no network leads there",
    errno.ETIMEDOUT: "no answer",
}


def ask_all_now(look: Look, shows: Shows, connect_to: tuple[str, int]) -> Portrait:
    """The same as `ask_all`, for a caller without an event loop."""
    return trio.run(ask_all, look, shows, connect_to)


async def ask_all(look: Look, shows: Shows, connect_to: tuple[str, int]) -> Portrait:
    """Ask what the look wants to know, and give what it saw. LabError: nobody is there."""
    questions: Generator[Enquiry, Reply | None, Portrait] = look.questions()
    answer: Reply | None = None
    made = 0
    while True:
        try:
            wanted = questions.send(answer)
        except StopIteration as end:
            seen: Portrait = end.value
            return seen
        answer = await _ask_on(Call(wanted, shows, look.host), connect_to, made)
        made += 1


async def _ask_on(call: Call, where: tuple[str, int], made: int) -> Reply:
    """Ask where some were asked before: a server that goes away meanwhile is no server that refuses something."""
    try:
        return await ask(call, where)
    except LabError as error:
        if not made:
            raise
        hint = "it went away, or takes no more of one client; nothing is said of half a probe"
        raise LabError(f"{error}, after {format_count(made, 'connection')}", hint) from None


async def ask(call: Call, where: tuple[str, int]) -> Reply:
    """Make a connection, and carry the call to its answer."""
    stream = await _connect(where)
    async with stream:
        call.begin(trio.current_time())
        await _talk(call, stream.socket)
    assert call.answer is not None
    return call.answer


async def _connect(where: tuple[str, int]) -> trio.SocketStream:
    name = format_host_port(where)
    try:
        with trio.fail_after(CONNECT_SECONDS):
            return await trio.open_tcp_stream(*where)
    except trio.TooSlowError:
        hint = "see whether a firewall is in between; nothing refused the connection, and nothing took it"
        raise LabError(f"cannot connect to {name}: no answer within {CONNECT_SECONDS:.0f} s", hint) from None
    except OSError as error:
        raise LabError(f"cannot connect to {name}: {_why(error)}", _hint(error)) from None


def _why(error: OSError) -> str:
    inner = error.__cause__
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    first = inner if isinstance(inner, OSError) else error
    return REASONS.get(first.errno or 0) or first.strerror or str(first)


def _hint(error: OSError) -> str:
    if type(error).__name__ == "gaierror":
        return "see whether the name is spelt right, and known to this machine's resolver"
    return "see whether the server runs, and whether this is its port"


async def _talk(call: Call, sock: trio.socket.SocketType) -> None:
    out = bytearray()
    while call.answer is None:
        out += call.data_to_send(CHUNK - len(out), trio.current_time())
        deadline = call.next_deadline
        with trio.move_on_at(float("inf") if deadline is None else deadline):
            await _move(call, sock, out)
        call.tick(trio.current_time())
    out += call.data_to_send(CHUNK, trio.current_time())
    with suppress(OSError), trio.move_on_after(CONNECT_SECONDS):
        while out:
            del out[: await sock.send(out)]


async def _move(call: Call, sock: trio.socket.SocketType, out: bytearray) -> None:
    async def send() -> None:
        try:
            del out[: await sock.send(out)]
        except OSError:
            call.receive_reset(trio.current_time())

    async def receive() -> None:
        try:
            data = await sock.recv(CHUNK)
        except OSError:
            call.receive_reset(trio.current_time())
            return
        if data:
            call.receive_data(data, trio.current_time())
        else:
            # The system says a reset once, maybe to `send`, and trio lets others run before that hears of it.
            await trio.lowlevel.cancel_shielded_checkpoint()
            call.receive_eof(trio.current_time())

    if out and call.wants_to_read:
        await first_of(send, receive)
    elif out:
        await send()
    else:
        await receive()
