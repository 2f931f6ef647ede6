"""What `serve` prints when it is ready: where, who, one fix, and last what to copy and paste."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from tlslab.cli import recipes
from tlslab.cli.console import STYLES, prose
from tlslab.core.patience import REACTION_SECONDS
from tlslab.httpsys.bindings import ServerCertificate
from tlslab.lab.options import undone_by
from tlslab.lab.running import Running
from tlslab.lab.shell import join, program
from tlslab.scenario.schema import Expectation
from tlslab.text import format_count, format_seconds

if TYPE_CHECKING:
    from tlslab.control.service import ControlService


def compose(running: Running, control: ControlService | None = None) -> Callable[[Console], None]:
    """Work out what the panel says, files to upload made; calling the result prints it. LabError: no such file."""
    fixes = running.loaded.scenario.fixes
    on = [name for name in running.plan.fixes if fixes[name].set]
    first = recipes.fix_at_work(running, on[0]) if on else recipes.symptom(running)
    advice = None if on else _advised(running)
    cure = recipes.fix(running, advice) if advice is not None else None

    def show(out: Console) -> None:
        out.rule(Text(f" tlslab: {running.plan.scenario} ", style="bold"), align="left")
        prose(out, running.loaded.scenario.title, style="bold")
        out.print()
        for label, text in (*_facts(running), *_control(control, running.options.ready_file is not None)):
            prose(out, text, first=f"{label:11}", rest=" " * 11)
        if cure is not None:
            cure.show(out)
        _more(running, out, told=cure is not None)
        for warning in _warnings(running):
            prose(out, f"Mind: {warning}", style=STYLES["odd"], rest="      ")
        first.show(out)
        out.rule(Text(" What happens, by the lab's clock; Ctrl-C ends it ", style="dim"), align="left")

    return show


def show_control(out: Console, control: ControlService, *, has_ready_file: bool) -> None:
    """Print what is served where no lab is, but those that programs start."""
    out.rule(Text(" tlslab: no lab yet ", style="bold"), align="left")
    for label, text in _control(control, has_ready_file):
        prose(out, text, first=f"{label:11}", rest=" " * 11)
    out.print()
    out.print("List what can be started:")
    token = "TOKEN" if has_ready_file else control.as_json()["token"]
    out.print(f"  {join(['curl', '-H', f'Authorization: Bearer {token}', f'{control.url}/scenarios'])}")


def _control(control: ControlService | None, has_ready_file: bool) -> Iterator[tuple[str, str]]:
    if control is not None:
        where = "token: control.token in the ready file" if has_ready_file else f"token {control.as_json()['token']}"
        yield "Control", f"{control.url}/  {where}"


def _advised(running: Running) -> str | None:
    """The fix to try first: one that is recommended and certain, or else the first that there is."""
    fixes = running.loaded.scenario.fixes
    return min(fixes, key=lambda name: (not fixes[name].recommended, not fixes[name].deterministic), default=None)


def _more(running: Running, out: Console, *, told: bool) -> None:
    """How to see what is not shown here."""
    show = join([*program(), "show", running.options.scenario, *_where(running)])
    more = len(running.loaded.scenario.fixes.keys() - set(running.plan.fixes)) - told
    out.print()
    if more:
        out.print(Text(f"{format_count(more, 'more fix', 'more fixes')}: {show} --fixes"))
    if running.loaded.scenario.cases:
        out.print(Text(f"What to hold beside it: {show} --commands"))


def _where(running: Running) -> list[str]:
    """What makes the commands of `tlslab show` those of this lab, as far as it can."""
    options, ports = running.options, {one.port for one in running.served}
    words = ["--port", str(ports.pop())] if options.port is not None and len(ports) == 1 else []
    words += ["--profile", options.profile] if options.profile is not None else []
    return words + (["--speed", f"{options.speed:g}"] if options.speed != 1 else [])


def _facts(running: Running) -> Iterator[tuple[str, str]]:
    label = "URL"
    for one in running.served:
        record = one.binding.record
        usual = record.certificate in (ServerCertificate.SERVER, ServerCertificate.SERVER_RSA)
        fault = "" if usual else f", certificate {record.certificate}"
        yield label, f"{one.url}/  {one.binding.name}: clientcertnegotiation={record.client_cert_negotiation}{fault}"
        label = ""
    name, files = next(iter(running.pki.identities.items()))
    yield "Files", f"{running.pki.folder}:"
    yield (
        "",
        f"{running.pki.ca_file.name} is what a client must trust, {name}.pem with {files.key_file.name} what it shows; "
        f"for browsers and Windows {files.pkcs12_file.name}, password {files.pkcs12_password}. Others: tlslab pki show",
    )
    if running.plan.fixes:
        yield "Fixes on", ", ".join(running.plan.fixes)
    if running.options.profile is not None:
        own = running.loaded.said["profile"]
        yield "Windows", f"{running.options.profile}, in place of {own}, which the scenario's promises are of"
    if running.options.settings:
        yield "Set", ", ".join(running.options.settings)
    if running.options.speed != 1:
        yield "Clock", f"{running.options.speed:g} times as fast; every time shown is the lab's"


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
        yield "a client's own timers keep their speed (curl -m, the second that it waits for 100 Continue)."
    if held := _held_up(running):
        least, longest = format_seconds(REACTION_SECONDS), format_seconds(REACTION_SECONDS * options.speed)
        yield f"{', '.join(held)}: no client reacts so fast; each lasts {least} on your watch, {longest} of the lab's."
    expect = running.loaded.scenario.symptom.expect
    if isinstance(expect, Expectation) and expect.outcome == "reset" and expect.after and not options.settings:
        in_all = format_seconds(3 * expect.after)  # measured: once on a new connection, three times on an old one
        watch = f" ({format_seconds(3 * expect.after / options.speed)} on your watch)" if options.speed != 1 else ""
        yield f"a browser may send an upload that was reset again by itself, and freeze for up to {in_all}{watch}."
    if options.speed > 1:
        wait = format_seconds(max(running.plan.setup.timers.ssl_renegotiation / options.speed, REACTION_SECONDS))
        yield f"a browser that asks you for a certificate has {wait} for your answer; use --speed 1 with it."


def _held_up(running: Running) -> list[str]:
    """The timers that last longer than they are set to."""
    timers = running.plan.setup.timers
    return [
        f"timers.{name}" for name, seconds in timers if seconds / running.options.speed < min(seconds, REACTION_SECONDS)
    ]
