"""Streams of events: bounded, told what was missed, and gone with their readers."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import socket
import struct
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import trio
import trio.testing

from tlslab.control.labs import Labs, ServedLab
from tlslab.control.models import LabWanted
from tlslab.control.service import ControlService
from tlslab.control.stream import numbered, stream
from tlslab.events import HelloRequestSent
from tlslab.lab.steering import EVENTS_KEPT, Chronicle
from tlslab.net.bus import Bus

OPENED = 1_000
AT_ONCE = 50
LINGER_RESET = struct.pack("ii", 1, 0)


def hello(number: int) -> HelloRequestSent:
    """An event like any other."""
    return HelloRequestSent(float(number), number, "")


@dataclass
class Watched:
    """A lab of which nobody has anything but its events."""

    bus: Bus
    lab: ServedLab


@pytest.fixture
def watched() -> Watched:
    """One with no events yet."""
    bus = Bus()
    chronicle = Chronicle(bus)
    lab = ServedLab("x", None, chronicle, None)  # type: ignore[arg-type]  # a stream asks for nothing else
    chronicle.wake = lab.wake
    return Watched(bus, lab)


def test_numbers(watched):
    """They count from 1; what is behind a number is asked for by it, and the oldest leave."""
    watched.bus.publish([hello(1), hello(2)])
    chronicle = watched.lab.chronicle
    assert chronicle.events(0, 10) == (1, [hello(1), hello(2)])
    assert chronicle.events(1, 10) == (2, [hello(2)])
    assert chronicle.events(2, 10) == (3, [])
    assert json.loads(numbered(*chronicle.events(1, 10)))["seq"] == 2
    watched.bus.publish([hello(number) for number in range(3, EVENTS_KEPT + 3)])
    first, events = chronicle.events(0, 1)
    assert (first, events) == (3, [hello(3)])


async def test_a_stream(watched) -> None:
    """What is there, what comes, what was missed, the silence, and the end."""
    watched.bus.publish([hello(1)])
    lines = stream(watched.lab, 0)
    assert [await anext(lines), await anext(lines)][1].startswith('id: 1\ndata: {"event": "HelloRequestSent"')
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_publish, watched, [hello(2)])
        assert (await anext(lines)).startswith("id: 2\n")
    watched.bus.publish([hello(number) for number in range(3, EVENTS_KEPT + 10)])
    assert await anext(lines) == 'event: dropped\ndata: {"missed": 7}\n\n'
    assert (await anext(lines)).startswith("id: 10\n")
    late = stream(watched.lab, EVENTS_KEPT + 9)
    await anext(late)
    watched.lab.has_ended = True
    assert await anext(late) == "event: ended\ndata: {}\n\n"
    for one in (lines, late):
        await one.aclose()


async def _publish(watched: Watched, events: list[HelloRequestSent]) -> None:
    await trio.testing.wait_all_tasks_blocked()
    watched.bus.publish(events)


async def test_a_heartbeat(watched, autojump_clock) -> None:
    """Where nothing happens a comment goes out, so that nobody in between takes it for dead."""
    lines = stream(watched.lab, 0)
    await anext(lines)
    assert await anext(lines) == ": still here\n\n"
    await lines.aclose()


@pytest.mark.soak
@pytest.mark.skipif(os.name == "nt", reason="counts descriptors in /proc")
def test_a_thousand_readers_come_and_go(service, ask):
    """Half of them with a reset: no task, no descriptor and no object stays, and the lab goes on."""
    ask("POST", "/labs", {"scenario": "stale-binding", "name": "busy"})
    _read_and_leave(service, AT_ONCE)
    before = _counted(service)
    for _ in range(OPENED // AT_ONCE):
        _read_and_leave(service, AT_ONCE)
    after = _counted(service)
    assert ask("GET", "/labs/busy")[0] == 200
    ask("DELETE", "/labs/busy")
    assert after["descriptors"] <= before["descriptors"] + 2
    assert after["tasks"] <= before["tasks"] + 2
    assert after["objects"] <= before["objects"] * 1.05


def _read_and_leave(service: ControlService, count: int) -> None:
    readers = [_reading(service, "busy") for _ in range(count)]
    for number, reader in enumerate(readers):
        if number % 2:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        reader.close()


def _counted(service: ControlService) -> dict[str, int]:
    """What there is of each, once the API has had its time to notice: asked until two answers are alike."""
    last: dict[str, int] = {}
    for _ in range(500):
        now = _count(service)
        if now == last:
            break
        last = now
    return last


def _count(service: ControlService) -> dict[str, int]:
    statistics = trio.from_thread.run_sync(trio.lowlevel.current_statistics, trio_token=service.loop)
    gc.collect()
    descriptors = len(os.listdir("/proc/self/fd"))
    return {"tasks": statistics.tasks_living, "descriptors": descriptors, "objects": len(gc.get_objects()) // 100}


def test_the_end_waits_for_no_reader():
    """A service with streams that are open ends, and its readers find the end of the file."""
    labs = Labs(None, ())
    other = ControlService(labs, "127.0.0.1", 0, ())
    other.start()
    with contextlib.ExitStack() as stack:
        lab = trio.from_thread.run(labs.start, LabWanted(scenario="stale-binding"), trio_token=other.loop)
        readers = [stack.enter_context(_reading(other, lab.id)) for _ in range(20)]
        other.stop()
        for reader in readers:
            while reader.recv(65536):
                pass
    with pytest.raises(ConnectionRefusedError):
        _reader(other)


def test_the_end_waits_for_no_reader_that_takes_nothing():
    """Its window is full, so that nothing can be told to it: the service and its labs end all the same."""
    labs = Labs(None, ())
    other = ControlService(labs, "127.0.0.1", 0, ())
    other.start()
    lab = trio.from_thread.run(labs.start, LabWanted(scenario="stale-binding"), trio_token=other.loop)
    place = urlsplit(str(lab.as_json()["target_url"]))
    with _reading(other, lab.id):
        for _ in range(10):
            lab.chronicle._note([hello(number) for number in range(EVENTS_KEPT)])
        other.stop()
        for service in (other.url, f"https://{place.hostname}:{place.port}"):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((str(urlsplit(service).hostname), int(urlsplit(service).port or 0)))
    other._thread.join(30)
    assert not other._thread.is_alive()  # it goes with its last reader


def _reader(service: ControlService) -> socket.socket:
    place = urlsplit(service.url)
    return socket.create_connection((str(place.hostname), int(place.port or 0)))


def _reading(service: ControlService, lab: str) -> socket.socket:
    """A reader whose stream has begun."""
    reader = _reader(service)
    head = f"GET /labs/{lab}/events?token={service.as_json()['token']} HTTP/1.1\r\nHost: localhost\r\n"
    reader.sendall(f"{head}Accept: text/event-stream\r\n\r\n".encode())
    assert b"200" in reader.recv(4096)
    return reader
