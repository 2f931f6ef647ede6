"""`tlslab probe --scenario`: a scenario and a client of the lab's own, seen from both sides."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from tlslab.cli.both_sides import PAUSE, PAUSE_ON_THE_WALL, Rung, ladder, text_of
from tlslab.cli.console import STYLES, console, prose, tell
from tlslab.cli.recipes import ENDS
from tlslab.cli.steps import step_in_words
from tlslab.cli.why import client_decisions, server_decisions
from tlslab.client.kinds import OWN, ClientKind, all_kinds, client_kind
from tlslab.errors import UsageProblem
from tlslab.lab.home import open_home
from tlslab.lab.shell import join, program
from tlslab.pki.identities import IDENTITIES
from tlslab.scenario.load import LoadedScenario, load
from tlslab.scenario.names import suggestion
from tlslab.scenario.overlay import parse_set
from tlslab.scenario.schema import Step
from tlslab.scenario.windows_names import understood
from tlslab.text import format_elapsed, json_text
from tlslab.trace.conversation import Side
from tlslab.verify.probing import Probe, Probed

ALL = "all"
NARROWEST, WIDEST = 72, 140
TIME = 9  # characters of a time, and of what stands behind it
ARROW = 5
AT_ONCE = 6  # kinds that are tried at the same time: a trial mostly waits
FAST = 100.0  # at such a speed a millisecond of the machine's is a tenth of a second and more
LEGEND = {
    "[": "[in brackets]: encrypted on the wire, where a capture without keys shows no name",
    "--|": "--| not read by the other side, or not all of it",
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked for, as it was typed."""

    source: str
    fixes: tuple[str, ...]
    settings: tuple[str, ...]
    holds: tuple[str, ...]
    kind: str

    def line(self, *more: str) -> str:
        """The command line for the same and more."""
        words = [*program(), "probe", "--scenario", self.source]
        words += ["--client", self.kind] if self.kind else []
        words += [word for name in self.fixes for word in ("--fix", name)]
        words += [word for one in self.settings for word in ("--set", one)]
        words += [word for name in self.holds for word in ("--holds", name)]
        return join([*words, *more])


def probe_scenario(
    source: str,
    *,
    kind: str | None,
    fixes: Sequence[str],
    settings: Sequence[str],
    holds: Sequence[str],
    speed: float | None,
    as_json: bool,
) -> int:
    """Take the steps of the symptom, print what was seen, and give the exit code. LabError: it cannot be served."""
    kinds = all_kinds() if kind == ALL else [OWN if kind is None else client_kind(kind)]
    asked = _Asked(source, tuple(fixes), tuple(settings), tuple(holds), kind or "")
    loaded = load(source)
    overrides = understood(loaded.data, dict(map(parse_set, settings)), loaded.ground)
    pki = open_home()
    tell(pki.server.news)
    probe = Probe(loaded, asked.fixes, overrides, _held(holds), pki)
    out = console()
    with console(stderr=True).status("the client takes its steps"):
        found = _walk(probe, kinds, speed)
    if as_json:
        content = [_as_json(loaded, asked, one) for one in found]
        click.echo(json_text(content if kind == ALL else content[0], indent=1))
    elif kind == ALL:
        _print_table(loaded, asked, found, out)
    else:
        _print(loaded, asked, found[0], out)
    return 1 if any(one.differences for one in found) else 0


def _walk(probe: Probe, kinds: Sequence[ClientKind], speed: float | None) -> list[Probed]:
    """Take the steps with each kind: one in this thread, where Ctrl-C ends it at once, several side by side."""
    if len(kinds) == 1:
        return [probe.walk(kinds[0], speed)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(partial(probe.walk, speed=speed), kinds))


def _held(names: Sequence[str]) -> tuple[str, ...]:
    """The identities that --holds names; `all` is each. UsageProblem: there is none of that name."""
    for name in names:
        if name not in (ALL, *IDENTITIES):
            raise UsageProblem(f"the lab has no identity {name!r}", suggestion(name, (ALL, *IDENTITIES)))
    return tuple(IDENTITIES) if ALL in names else tuple(names)


# --- both sides -----------------------------------------------------------------------------------------------


def _print(loaded: LoadedScenario, asked: _Asked, found: Probed, out: Console) -> None:
    fixes = f" with {', '.join(asked.fixes)}" if asked.fixes else ""
    out.rule(Text(f" {loaded.name}{fixes} ", style="bold"), align="left")
    client = f"the client {found.kind.name}" if found.kind.name else "the scenario's own client"
    prose(out, f"{client[0].upper()}{client[1:]}: {_steps(found)}.")
    if found.kind.choosing is not None:
        prose(out, f"It {found.kind.choosing.does}.", style="dim")
    if found.kind.writing is not None:
        prose(out, f"It {found.kind.writing.does}.", style="dim")
    _print_ladder(ladder(found.logbook, found.seen.events, found.speed), found.speed, out)
    _print_verdict(loaded, asked, found, out)


def _steps(found: Probed) -> str:
    """What the client does; its ways are told by themselves."""
    ways = {"filters_by_issuer", "filters_by_usage", "renegotiation", "post_handshake_auth", "leaves_at", "retries"}
    usual = {name: Step.model_fields[name].default for name in ways} if found.kind.choosing is not None else {}
    return "; then ".join(step_in_words(step.model_copy(update=usual)) for step in found.steps)


def _print_ladder(rungs: Sequence[Rung], speed: float, out: Console) -> None:
    width = max(NARROWEST, min(out.width, WIDEST))
    side = (width - TIME - ARROW - 5) // 2
    out.print()
    out.print(Text(f"{'seconds':>{TIME}}     {'client':<{side}}{'':{ARROW}}server", style="dim"))
    for rung in rungs:
        for line in _lines(rung, side, width):
            out.print(line)
    shown = "".join(rung.text for rung in rungs if rung.is_message)
    legend = [LEGEND["["]] if "[" in shown else []
    legend += [LEGEND["--|"]] if any(rung.is_message and not rung.is_read for rung in rungs) else []
    if speed > 1:
        legend.append(f"the lab's time, {speed:,.0f} times the wall's")
    if speed > FAST:
        legend.append(f"a millisecond of this machine's is {format_elapsed(speed / 1000)} here")
    prose(out, "; ".join(legend), style="dim", first=" " * (TIME + 5))


def _lines(rung: Rung, side: int, width: int) -> Iterator[Text]:
    """A line of the ladder, below itself where its text is too long for its half."""
    indent = " " * (TIME + 5)
    if rung.side is None:
        for line in textwrap.wrap(f"... {rung.text}", width - len(indent), subsequent_indent="    "):
            yield Text(indent + line, style=STYLES[rung.mark])
        return
    number = f"#{rung.connection}" if rung.connection else ""
    start = f"{rung.at:>{TIME}.3f} {number:<4}"
    is_client = rung.side is Side.CLIENT
    arrow = _arrow(rung, is_client=is_client) if rung.is_message else ""
    text = rung.text if rung.is_message else f"({rung.text})"
    for line in textwrap.wrap(text, side, break_on_hyphens=False):
        left, right = (line, "") if is_client else ("", line)
        content = (f"{left:<{side}}{arrow:^{ARROW}}{right}").rstrip()
        yield Text.assemble((start, "dim"), (content, STYLES[rung.mark]))
        start, arrow = indent, ""


def _arrow(rung: Rung, *, is_client: bool) -> str:
    if is_client:
        return "-->" if rung.is_read else "--|"
    return "<--" if rung.is_read else "|--"


# --- what came of it ------------------------------------------------------------------------------------------


def _print_verdict(loaded: LoadedScenario, asked: _Asked, found: Probed, out: Console) -> None:
    out.print()
    for label, text, style in _verdict(loaded, asked, found):
        first, *rest = textwrap.wrap(text, max(NARROWEST, min(out.width, WIDEST)) - 10, break_on_hyphens=False)
        out.print(Text.assemble((f"{label:<10}", "bold"), (first, style)))
        for line in rest:
            out.print(Text(f"{'':10}{line}", style=style))
    for line in _what_to_try(loaded, asked, found):
        out.print(f"{'':10}{line}")


def _verdict(loaded: LoadedScenario, asked: _Asked, found: Probed) -> Iterator[tuple[str, str, str]]:
    is_kept = not found.differences
    seen = "is seen" if found.symptom_seen else "is not seen"
    yield "Symptom", f"{seen}: {_ending(found)}.", STYLES["bad" if found.symptom_seen else "good"]
    yield "Promise", _promised(found), STYLES["good" if is_kept else "bad"]
    for difference in found.differences:
        yield "", difference, STYLES["bad"]
    label = "Client"
    for sentence in client_decisions(found):
        yield label, sentence, ""
        label = ""
    label = "Server"
    for sentence in server_decisions(found.seen.events):
        yield label, sentence, ""
        label = ""
    if found.symptom_seen and (fix := _fix(loaded, asked, found)):
        yield "Try", f"{fix}: {loaded.scenario.fixes[fix].title}", STYLES["good"]


def _ending(found: Probed) -> str:
    last = found.seen.last
    how = ENDS.get(last.kind, f"the answer is {last.kind}")
    is_long = last.seconds >= max(PAUSE, PAUSE_ON_THE_WALL * found.speed)
    after = f" after {format_elapsed(last.seconds)}" if is_long else ""
    who = f", for {last.certificate}" if last.certificate else ""
    came_back = any(step.resumes for step in found.steps)
    session = f", with {'its session resumed' if last.resumed else 'a new session'}" if came_back else ""
    return f"{how}{after}{who}{session}"


def _promised(found: Probed) -> str:
    place, _, name = found.promise.place.partition(".")
    kept = "kept" if not found.differences else "NOT kept"
    if place == "symptom":
        return f"{kept}: the scenario promises its symptom of such a client"
    if place == "cases":
        return f"{kept}: the scenario speaks of such a client (case {name}): {found.promise.title}"
    if place == "fixes":
        return f"{kept}: the scenario promises this of its fix {name}: {found.promise.title}"
    expect = found.promise.expect
    how = ENDS.get(expect.outcome, expect.outcome)
    return f"{kept}: the scenario's file does not speak of such a client; the same steps in memory end so: {how}"


def _fix(loaded: LoadedScenario, asked: _Asked, found: Probed) -> str | None:
    """The fix to try first, as the panel has it; a client with ways of its own takes none that changes the client."""
    fixes = loaded.scenario.fixes
    left = [name for name in fixes if name not in asked.fixes and (fixes[name].set or found.kind.choosing is None)]
    return min(left, key=lambda name: (not fixes[name].recommended, not fixes[name].deterministic), default=None)


def _what_to_try(loaded: LoadedScenario, asked: _Asked, found: Probed) -> Iterator[str]:
    if found.symptom_seen and (fix := _fix(loaded, asked, found)):
        yield asked.line("--fix", fix)


# --- kinds side by side ---------------------------------------------------------------------------------------


def _print_table(loaded: LoadedScenario, asked: _Asked, found: Sequence[Probed], out: Console) -> None:
    fixes = f" with {', '.join(asked.fixes)}" if asked.fixes else ""
    out.rule(Text(f" {loaded.name}{fixes} ", style="bold"), align="left")
    width = max(len(one.kind.name) for one in found)
    out.print(Text(f"{'client':<{width}}  {'symptom':<8} {'as promised':<12} ends with", style="dim"))
    for one in found:
        style = STYLES["bad" if one.differences else "odd" if one.symptom_seen else "good"]
        seen = "seen" if one.symptom_seen else "no"
        kept = "NO" if one.differences else "yes"
        start = f"{one.kind.name:<{width}}  {seen:<8} {kept:<12} "
        prose(out, _ending(one), first=start, rest=" " * len(start), style=style)
    out.print()
    prose(out, "Those that are named by how they write choose as the scenario's own client does.", style="dim")
    out.print(f"Both sides of one of them: {join([*program(), 'probe', '--scenario', asked.source])} --client NAME")


def _as_json(loaded: LoadedScenario, asked: _Asked, found: Probed) -> Mapping[str, Any]:
    last = found.seen.last
    fix = _fix(loaded, asked, found) if found.symptom_seen else None
    return {
        "scenario": loaded.name,
        "client": found.kind.name or None,
        "fixes": asked.fixes,
        "speed": found.speed,
        "steps": [step_in_words(step) for step in found.steps],
        "outcome": {"kind": last.kind, "seconds": last.seconds, "certificate": last.certificate},
        "symptom_seen": found.symptom_seen,
        "as_promised": not found.differences,
        "promised_by": found.promise.place or None,
        "differences": found.differences,
        "client_decisions": list(client_decisions(found)),
        "server_decisions": list(server_decisions(found.seen.events)),
        "ladder": [_rung_json(rung) for rung in ladder(found.logbook, found.seen.events, found.speed)],
        "try": fix and {"fix": fix, "command": asked.line("--fix", fix)},
    }


def _rung_json(rung: Rung) -> Mapping[str, Any]:
    messages = [
        {"name": text_of(one).strip("[]"), "encrypted": one.is_encrypted, "sent_at": one.at, "read_at": one.read_at}
        for one in rung.messages
    ]
    side = None if rung.side is None else rung.side.value
    return {"at": rung.at, "connection": rung.connection, "side": side, "text": rung.text, "messages": messages}
