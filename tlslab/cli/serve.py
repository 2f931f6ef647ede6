"""`tlslab serve`: a scenario on real sockets."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from dataclasses import replace
from typing import Any, NoReturn

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
from tlslab.lab.lifetime import Screen, Stopped, run
from tlslab.lab.options import Options, as_yaml
from tlslab.lab.running import Running
from tlslab.lab.sinks import tell_ready
from tlslab.net.bus import Bus, Watch
from tlslab.net.server import bind, close_all
from tlslab.pki.store import Pki
from tlslab.scenario import catalogue
from tlslab.scenario.build import build
from tlslab.scenario.load import LoadedScenario, load
from tlslab.scenario.overlay import parse_set
from tlslab.scenario.windows_names import understood
from tlslab.types import LAST_WORDS_SECONDS
from tlslab.words.timeline import MATTERS

EPILOG = """\b
Examples:
  tlslab serve large-post-deadlock
  tlslab serve --scenario large-post-deadlock --fix negotiate-on-binding
  tlslab serve --scenario large-post-deadlock --speed 24 --set timers.ssl_renegotiation=60s
  tlslab serve --scenario large-post-deadlock --pcapng freeze.pcapng --logs logs

Ctrl-C ends it with exit code 130, SIGTERM with 0, both within a second.
"""


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
    callback=between(0.01, 10_000),
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
    metavar="FILE|-",
    help="Write URLs, certificate files and process id as JSON once everything listens; - is one line on stdout.",
)
@click.option("--ahead", type=float, default=0.0, hidden=True, help="Seconds by which the files' calendar is ahead.")
@click.option("--verbose", "-v", is_flag=True, help="Show every event, each handshake message too.")
def command(**given: Any) -> None:
    """Be the server of a scenario, and fail as documented, until Ctrl-C.

    --fix, --set and --san may be repeated.
    """
    options = Options(scenario=_scenario(given.pop("name"), given.pop("scenario")), **given)
    loaded = load(options.scenario, options.profile)
    overrides = understood(loaded.data, dict(map(parse_set, options.settings)), loaded.ground)
    options = replace(options, settings=tuple(f"{path}={as_yaml(value)}" for path, value in overrides.items()))
    pki = open_home()
    plan = build(loaded, options.fixes, overrides, pki, host=options.host, sans=options.sans, port=options.port)
    tell(pki.server.news)
    serve(loaded, plan, pki, options)


def _scenario(name: str | None, option: str | None) -> str:
    """What to serve, named in either way. UsageProblem: in neither, or in both and not the same."""
    if name and option and name != option:
        raise UsageProblem(f"cannot serve {name} and {option}", "name one scenario; two labs can run side by side")
    if not (name or option):
        raise UsageProblem(
            "serve what? Name a scenario: tlslab serve NAME", f"there are {', '.join(catalogue.names())}"
        )
    return str(name or option)


def serve(loaded: LoadedScenario, plan: LabPlan, pki: Pki, options: Options) -> None:
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
        show_panel = panel.compose(running)
        with out.capture() as beginning:  # now, while nobody can be short of anything, and shown once it listens
            show_panel(out)
        files = evidence.Evidence(options, plan, bus, stack)
        lab = Machine(running.plan_with_links, bus.wanted, files.keylog, Patience(options.speed))
        started = time.perf_counter()
        stopped = run(
            lab,
            bound,
            bus,
            speed=options.speed,
            on_ready=lambda: _begin(files, options.ready_file, running),
            look_after=files.look_after,
            tap=files.tap,
            screen=Screen(watch, lambda: out.show(beginning.get()), timeline.show, timeline.is_live),
        )
        seconds = (time.perf_counter() - started) * options.speed
    _leave(out, [*_lost(watch), tally.summary(seconds), *files.notes()], stopped)


def _begin(files: evidence.Evidence, ready_file: str | None, running: Running) -> None:
    files.begin()
    if ready_file is not None:
        tell_ready(ready_file, running.as_json())


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
