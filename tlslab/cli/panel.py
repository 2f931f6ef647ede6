"""What `serve` prints when it is ready: where, who, and what to copy and paste."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from rich.console import Console
from rich.text import Text

from tlslab.cli.console import prose
from tlslab.httpsys.bindings import ServerCertificate
from tlslab.lab.curl import comes_back
from tlslab.lab.options import undone_by
from tlslab.lab.running import Running
from tlslab.lab.shell import join, program
from tlslab.lab.verdicts import status_of
from tlslab.pki.identities import IDENTITIES
from tlslab.scenario.schema import Case, Expectation, Fix, Step
from tlslab.text import format_seconds

FASTEST_SENSIBLE = 60
REFUSING = "The client here refuses to renegotiate, as Go and rustls do; curl does not refuse."
FILTERING = (
    "The client here sends a certificate only if the server's list names its issuer, as browsers, Go, Java and wget "
    "with GnuTLS (Debian's) do; curl sends what it has."
)
COMING_BACK = (
    "The client here is openssl, in bash, because curl forgets a session when it ends. A line that says New was a full "
    "handshake, and Reused a resumed session."
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to see one thing: a heading, a sentence, and command lines that stand alone, each on its own line."""

    heading: Text
    sentence: str
    lines: list[str]


def compose(running: Running) -> Callable[[Console], None]:
    """Work out what the panel says, files to upload made; calling the result prints it. LabError: no such file."""
    recipes = [_symptom(running), *(_fix(running, name, fix) for name, fix in running.loaded.scenario.fixes.items())]

    def show(out: Console) -> None:
        out.rule(Text(f" tlslab: {running.plan.scenario} ", style="bold"), align="left")
        prose(out, running.loaded.scenario.title, style="bold")
        out.print()
        for label, text in _facts(running):
            out.print(Text.assemble((f"{label:11}", "bold"), text))
        for recipe in recipes:
            _show(recipe, out)
        out.print()
        for warning in _warnings(running):
            prose(out, f"Mind: {warning}", style="yellow", rest="      ")
        out.print(Text("Ctrl-C ends it. Below, what happens, with the lab's time.", style="dim"))
        out.rule()

    return show


def _show(recipe: Recipe, out: Console) -> None:
    out.print()
    out.print(recipe.heading)
    prose(out, recipe.sentence, first="  ")
    for line in recipe.lines:
        out.print(f"  {line}")


def _facts(running: Running) -> Iterator[tuple[str, str]]:
    for one in running.served:
        yield "URL", f"{one.url}/"
        record = one.binding.record
        gone = ", its certificate is deleted" if record.certificate is ServerCertificate.DELETED else ""
        yield "", f"{one.binding.name}, {one.host}, clientcertnegotiation={record.client_cert_negotiation}{gone}"
    yield "CA file", str(running.pki.ca_file)
    yield from _identities(running)
    yield "Fixes on", ", ".join(running.plan.fixes) or "none"
    if running.options.settings:
        yield "Set", ", ".join(running.options.settings)
    if running.options.speed != 1:
        yield "Clock", f"{running.options.speed:g} times as fast; every time shown is the lab's"


def _identities(running: Running) -> Iterator[tuple[str, str]]:
    """The first with all its files, the others by name and the status they earn."""
    (name, files), *others = running.pki.identities.items()
    yield "Identity", name
    yield "  .pem", str(files.cert_file)
    yield "  key", str(files.key_file)
    yield "  .p12", str(files.pkcs12_file)
    yield "", f"for browsers and Windows, password {files.pkcs12_password}"
    yield "  others", f"the same three files each, in {others[0][1].cert_file.parent}"
    by_status: dict[str, list[str]] = {}
    for other, _ in others:
        mark = "" if IDENTITIES[other].is_documented else "?"
        by_status.setdefault(status_of(other), []).append(other + mark)
    for status, names in sorted(by_status.items()):
        yield "", f"{status}: {', '.join(names)}"
    yield "", "?: an assumption, no document names the status"


def _symptom(running: Running) -> Recipe:
    symptom = running.loaded.scenario.symptom
    fixes = running.loaded.scenario.fixes
    steps = symptom.client or ()
    on = [name for name in running.plan.fixes if fixes[name].set]
    sentences = [REFUSING] if any(step.renegotiation == "refuse" for step in steps) else []
    sentences += [FILTERING] if any(step.filters_by_issuer for step in steps) else []
    sentences += _sessions(steps, running.options.speed)
    if on:
        heading = Text(f"What fails without {', '.join(on)}", style="bold")
    else:
        heading = Text("See it fail", style="bold red")
        # What --set changed may change how it ends.
        sentences += [] if running.options.settings else [_ending(symptom, running.options.speed)]
    return Recipe(heading, " ".join(sentences), running.curl.lines(steps))


def _ending(case: Case, speed: float) -> str:
    expect = case.expect
    if not isinstance(expect, Expectation):
        return ""
    ends = {"reset": "the connection is reset", "closed": "the connection is closed"}
    text = ends.get(expect.outcome, f"the answer is {expect.outcome}")
    if expect.resumed is not None:
        text += f", and {_last_line(expect.resumed)}"
    if not expect.after:
        return f"Expected: {text}."
    scaled = f" ({format_seconds(expect.after / speed)} on your watch)" if speed != 1 else ""
    return f"Expected: nothing for {format_seconds(expect.after)}{scaled}, then {text}."


def _last_line(resumed: bool) -> str:
    return f"the last line says {'Reused' if resumed else 'New'}"


def _sessions(steps: Sequence[Step], speed: float) -> Iterator[str]:
    """What to know about lines that keep a session, and about their waits."""
    if not comes_back(steps):
        return
    yield COMING_BACK
    waits = sum(step.wait for step in steps)
    if waits and speed == 1:
        yield f"They wait for {format_seconds(waits)}; a lab with --speed 60 needs {format_seconds(waits / 60)}."
    elif waits:
        yield f"They wait for {format_seconds(waits)} of the lab's time, {format_seconds(waits / speed)} on your watch."


def _fix(running: Running, name: str, fix: Fix) -> Recipe:
    marks = [", ".join(fix.changes), *(["recommended"] if fix.recommended else [])]
    marks.append("deterministic" if fix.deterministic else "not deterministic")
    on = name in running.plan.fixes
    lines = running.curl.lines(fix.client or running.loaded.scenario.symptom.client or ())
    if not fix.set:
        how = "This changes nothing on the server; the client does it:"
    elif on:
        how = "The server does it now:"
    else:
        ports = {one.port for one in running.served}
        again = join([*program(), *running.options.again(name, fix.set, ports)])
        how = "The server does it: end this lab, start it with the first line, and send the rest:"
        lines = [again, *lines]
        if running.options.port == 0 and len(ports) > 1:
            how = "The server does it: end this lab and start it so; it will have other ports, and say what to send:"
            lines = [again]
    if isinstance(fix.expect, Expectation) and fix.expect.resumed is not None:
        how = f"With it, {_last_line(fix.expect.resumed)}. {how}"
    heading = Text(f"Fix {name}{' (on)' if on else ''}", style="bold green")
    return Recipe(heading, f"{fix.title} ({'; '.join(marks)}). {how}", lines)


def _warnings(running: Running) -> Iterator[str]:
    options = running.options
    if options.host is not None and not ip_address(options.host.strip("[]")).is_loopback:
        yield (
            "whoever reaches this machine can reach the lab, and it is made to get stuck. Do this only on a network "
            "you trust."
        )
        if options.sans:
            yield "on another machine, copy the CA file and the identity there and change their paths in the commands."
        else:
            yield "for clients on other machines, add --san with the name or address that they call this one."
    elif options.sans:
        yield "the lab listens on loopback only, so other machines cannot reach it: add --host."
    for name in running.plan.fixes:
        paths = running.loaded.scenario.fixes[name].set
        for setting in options.settings:
            if undone_by(setting, paths):
                yield f"--set {setting} is laid over what the fix {name} sets, and may undo it."
    if options.speed != 1:
        yield (
            "the lab's clock alone has another speed. Not scaled: a client's own timers (curl -m, the second it waits "
            "for 100 Continue), the kernel's, and the dates in certificates."
        )
    if options.speed > FASTEST_SENSIBLE:
        yield f"at {options.speed:g} times the speed the lab's timers may run out before a real client has answered."
    if options.speed > 1:
        wait = format_seconds(running.plan.setup.timers.ssl_renegotiation / options.speed)
        yield f"a browser that asks you for a certificate has {wait} for your answer; use --speed 1 with it."
