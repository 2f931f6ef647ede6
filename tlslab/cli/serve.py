"""`tlslab serve`: a scenario on real sockets."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NoReturn

import click

from tlslab.capture.files import STANDARD_OUTPUT
from tlslab.cli import panel
from tlslab.cli.console import LabConsole, console, prose, tell
from tlslab.cli.options import between, evidence_options, profile_option
from tlslab.cli.timeline import COUNTED, Tally, Timeline
from tlslab.core.machine import Machine
from tlslab.core.patience import Patience
from tlslab.core.plan import LabPlan
from tlslab.errors import UsageProblem
from tlslab.events import ALL
from tlslab.lab import evidence
from tlslab.lab.home import home, open_home
from tlslab.lab.lifetime import Screen, Stopped, run, until_signal
from tlslab.lab.options import FASTEST, SLOWEST, Options, as_yaml
from tlslab.lab.running import Running
from tlslab.lab.sinks import EVENTS_VERSION, tell_ready
from tlslab.lab.steering import Steering
from tlslab.net.bus import Bus, Watch
from tlslab.net.server import LAST_PORT, LOOPBACK, Server, bind, close_all
from tlslab.pki.store import Pki
from tlslab.scenario import catalogue
from tlslab.scenario.build import build
from tlslab.scenario.load import LoadedScenario, load
from tlslab.scenario.overlay import parse_set
from tlslab.scenario.windows_names import understood
from tlslab.text import HostPort
from tlslab.types import LAST_WORDS_SECONDS
from tlslab.words.timeline import MATTERS

if TYPE_CHECKING:
    from tlslab.control.service import ControlService

EPILOG = """\b
Examples:
  tlslab serve large-post-deadlock
  tlslab serve --scenario large-post-deadlock --fix negotiate-on-binding
  tlslab serve --scenario large-post-deadlock --speed 24 --set timers.ssl_renegotiation=60s
  tlslab serve --scenario large-post-deadlock --pcapng freeze.pcapng --logs logs

Ctrl-C ends it with exit code 130, SIGTERM with 0, both within a second.
"""


def _where(_context: click.Context, _option: click.Parameter, value: str | None) -> HostPort | None:
    """Where the API listens: `8474`, `0.0.0.0:8474`, `[::1]:0`."""
    if value is None:
        return None
    host, _, port = value.rpartition(":")
    try:
        address = str(ip_address(host.strip("[]"))) if host else LOOPBACK
        if not port.isdecimal() or int(port) > LAST_PORT:
            raise ValueError
    except ValueError:
        hint = "say 8474, 0.0.0.0:8474, or 0 for a free port"
        raise click.BadParameter(f"{value} is no place to listen; {hint}") from None
    return address, int(port)


@click.command(name="serve", epilog=EPILOG)
@click.argument("name", required=False, metavar="[NAME|FILE.yaml]")
@click.option(
    "--scenario",
    "-s",
    metavar="NAME|FILE.yaml",
    help="What to serve, the same as without the option: a name from `tlslab list`, or a file of your own.",
)
@click.option(
    "--fix", "fixes", multiple=True, metavar="FIX", help="Serve with this fix in place (`tlslab show` names them)."
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PATH=YAML",
    help="Change one knob, as `tlslab show` names it: timers.ssl_renegotiation=30s.",
)
@profile_option
@click.option(
    "--speed",
    type=float,
    callback=between(SLOWEST, FASTEST),
    default=1.0,
    metavar="N",
    help="Run the lab's clock N times as fast: two minutes take 5 seconds at 24.",
)
@click.option(
    "--host", metavar="ADDR", help="Listen on this address of the machine instead of loopback; 0.0.0.0 is all of them."
)
@click.option(
    "--san",
    "sans",
    multiple=True,
    metavar="NAME",
    help="A name or address by which other machines call this one, for the certificate and the printed commands.",
)
@click.option(
    "--port",
    type=int,
    callback=between(0, 65535),
    metavar="N",
    help="Put the first port on N, and the others as far from it as they were; 0 takes free ones.",
)
@click.option("--events", metavar="FILE|-", help="Write every event as a line of JSON; - is standard output.")
@evidence_options
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE|-",
    help="Write URLs, certificate files and process id as JSON once everything listens; - is one line on stdout.",
)
@click.option(
    "--control",
    metavar="[ADDR:]PORT",
    callback=_where,
    help="Let programs control it by HTTP, on 127.0.0.1 unless said otherwise; 0 takes a free port.",
)
@click.option("--ahead", type=float, default=0.0, hidden=True, help="Seconds by which the files' calendar is ahead.")
@click.option("--verbose", "-v", is_flag=True, help="Show every event, each handshake message too.")
def command(**given: Any) -> None:
    """Be the server of a scenario, and fail as documented, until Ctrl-C.

    --fix, --set and --san may be repeated.
    """
    control = given.pop("control")
    scenario = _scenario(given.pop("name"), given.pop("scenario"), needed=control is None)
    options = Options(scenario=scenario, **given)
    service = None if control is None else _control(control, options)
    if not scenario:
        assert service is not None
        serve_none(service, options)
    loaded = load(options.scenario, options.profile)
    overrides = understood(loaded.data, dict(map(parse_set, options.settings)), loaded.ground)
    options = replace(options, settings=tuple(f"{path}={as_yaml(value)}" for path, value in overrides.items()))
    pki = open_home()
    plan = build(loaded, options.fixes, overrides, pki, host=options.host, sans=options.sans, port=options.port)
    tell(pki.server.news)
    serve(loaded, plan, pki, options, overrides, service)


def _scenario(name: str | None, option: str | None, *, needed: bool) -> str:
    """What to serve, named in either way, or nothing. UsageProblem: in neither, or in both and not the same."""
    if name and option and name != option:
        raise UsageProblem(f"cannot serve {name} and {option}", "name one scenario; two labs can run side by side")
    if needed and not (name or option):
        raise UsageProblem(
            "serve what? Name a scenario: tlslab serve NAME", f"there are {', '.join(catalogue.names())}"
        )
    return str(name or option or "")


def _control(where: HostPort, options: Options) -> ControlService:
    from tlslab.control.labs import Labs
    from tlslab.control.service import ControlService

    return ControlService(Labs(options.host, options.sans), *where, options.sans)


def serve_none(service: ControlService, options: Options) -> NoReturn:
    """Serve no lab but those that programs start, until a signal comes."""
    out = console(stderr=STANDARD_OUTPUT in options.streams, patient=True)
    service.start()

    def begin() -> None:
        panel.show_control(out, service, has_ready_file=options.ready_file is not None)
        _say_ready(options.ready_file, {"pid": os.getpid(), "events_version": EVENTS_VERSION}, service)

    try:
        stopped = until_signal(begin)
    finally:
        service.stop()
    _leave(out, ["All labs that were started have ended."], stopped)


def serve(
    loaded: LoadedScenario,
    plan: LabPlan,
    pki: Pki,
    options: Options,
    overrides: Mapping[str, Any],
    service: ControlService | None = None,
) -> None:
    """Listen, say so, serve until a signal comes, and leave with its exit code."""
    out = console(stderr=STANDARD_OUTPUT in options.streams, patient=True)
    bus, tally = Bus(), Tally()
    bus.record(COUNTED, tally.count)
    timeline = Timeline(out, options.verbose, options.speed)
    watch = bus.watch(ALL if options.verbose else MATTERS)
    bound = bind(plan.listeners)  # before any file is opened: the files may be those of the lab that has the port
    with contextlib.ExitStack() as stack:
        stack.callback(close_all, bound)
        running = Running.of(loaded, plan, pki, [one.listener for one in bound], options, home())
        show_panel = panel.compose(running, service)
        with out.capture() as beginning:  # now, while nobody can be short of anything, and shown once it listens
            show_panel(out)
        files = evidence.Evidence(options, plan, bus, stack)
        lab = Machine(running.plan_with_links, bus.wanted, files.keylog, Patience(options.speed))
        server = Server(lab, bound, bus, files.tap)
        began = [files.begin]
        if service is not None:
            began.append(service.adopt(Steering(running, server, options.fixes, overrides), bus))
            stack.callback(service.stop)
        started = time.perf_counter()
        stopped = run(
            server,
            speed=options.speed,
            on_ready=lambda: _begin(began, options.ready_file, running, service),
            look_after=files.look_after,
            screen=Screen(watch, lambda: out.show(beginning.get()), timeline.show, timeline.is_live),
        )
        seconds = (time.perf_counter() - started) * options.speed
    _leave(out, [*_lost(watch), tally.summary(seconds), *files.notes()], stopped)


def _begin(
    began: Sequence[Callable[[], None]], ready_file: str | None, running: Running, service: ControlService | None
) -> None:
    for begin in began:
        begin()
    _say_ready(ready_file, running.as_json(), service)


def _say_ready(ready_file: str | None, said: dict[str, Any], service: ControlService | None) -> None:
    if ready_file is not None:
        tell_ready(ready_file, said if service is None else {**said, "control": service.as_json()})


def _lost(watch: Watch) -> list[str]:
    if not watch.dropped:
        return []
    return [f"{watch.dropped:,} events came too fast to be shown here; --events FILE has all of them."]


def _leave(out: LabConsole, lines: list[str], stopped: Stopped) -> NoReturn:
    """Say goodbye and end, whether or not anybody reads it: who did not take the timeline's end gets no more time."""
    exit_code = 130 if stopped.by is signal.SIGINT else 0

    def say() -> None:
        out.print()
        for line in lines:
            prose(out, line)

    speaker = threading.Thread(target=say, daemon=True)
    try:
        speaker.start()
    except RuntimeError:  # the system has no thread to give
        say()
    else:
        speaker.join(LAST_WORDS_SECONDS if stopped.was_heard else 0)
    if speaker.is_alive():
        os._exit(exit_code)  # Python's own end would wait for standard output, which waits for its reader
    raise SystemExit(exit_code)
