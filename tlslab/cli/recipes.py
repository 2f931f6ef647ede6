"""How to see each thing that a scenario shows: what to send, and what to expect, in the client's own words too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console

from tlslab.cli.console import STYLES, prose
from tlslab.cli.steps import SENDS
from tlslab.lab.curl import comes_back, connections, shows_exactly, waits_between
from tlslab.lab.running import Running
from tlslab.lab.shell import join, program
from tlslab.scenario.build import build
from tlslab.scenario.schema import Case, Expect, Fix, Step, WritingStyle
from tlslab.text import format_bytes, format_seconds, format_times

NOT_OFFERING = (
    "The client here is openssl, in bash, which, like a browser, does not offer to be asked for its certificate later; "
    "curl does."
)
REFUSING = "The client here refuses to renegotiate, as Go and rustls do; curl does not refuse."
FILTERING = (
    "The client here sends a certificate only if the server's list names its issuer, as browsers, Go, Java and wget "
    "with GnuTLS (Debian's) do; curl sends what it has."
)
INSISTING = (
    "The client here takes the end of the connection for the end of an answer only if TLS says so, as Ruby, wget with "
    "GnuTLS (Debian's) and OpenSSL's s_client do; curl takes it in any case."
)
WAITING = (
    "The client here is Python, which keeps its connection for that time and does not look at it; curl cannot wait."
)
COMING_BACK = (
    "The client here is openssl, in bash, because curl forgets a session when it ends. A line that says New was a full "
    "handshake, and Reused a resumed session."
)
# What a client prints for an end that is no answer, by Debian 12's: curl 7.88, OpenSSL 3.0.
OWN_WORDS = {
    ("curl", "alert"): "curl: (60), if it is the certificate that it does not accept",
    ("curl", "closed"): "curl: (52) Empty reply from server",
    ("curl", "gave_up"): "curl: (28) Operation timed out",
    ("openssl", "reset"): "openssl: errno=104, or nothing",
    ("python3", "reset"): "Python: ssl.SSLEOFError or another ConnectionError",
    ("wget", "reset"): "wget: exit code 4",
    ("wget", "closed"): "wget: exit code 4; without -q: The TLS connection was non-properly terminated",
}
RESET_AFTER_A_WHILE = "curl: (56) Recv failure: Connection reset by peer"
RESET_AT_ONCE = "curl: (35) or (56), Connection reset by peer"  # which of them depends on curl's version
GOOD = f"bold {STYLES['good']}"
ENDS = {
    "reset": "the connection is reset",
    "closed": "the connection is closed",
    "gave_up": "the client gives up",
    "alert": "TLS ends in an alert",
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to see one thing: a heading, sentences, and command lines that stand alone, each on its own line."""

    heading: str
    style: str
    sentences: list[str]
    lines: list[str]

    def but(self, first: str, lines: list[str]) -> Recipe:
        """The same with another sentence in front, and with these lines."""
        return replace(self, sentences=[first, *self.sentences], lines=lines)

    def show(self, out: Console) -> None:
        """Print it; no line that is to be copied is broken."""
        out.print()
        prose(out, self.heading, style=self.style)
        prose(out, " ".join(self.sentences), first="  ")
        for line in self.lines:
            out.print(f"  {line}")


def symptom(running: Running) -> Recipe:
    """The failure itself, on a lab without fixes of the server."""
    steps = running.loaded.scenario.symptom.client or ()
    return _to_send(running, "See it fail", STYLES["bad"], steps, running.loaded.scenario.symptom.expect)


def case(running: Running, name: str, shown: Case) -> Recipe:
    """A case beside the failure; one that sets something needs a lab of its own."""
    steps = shown.client or running.loaded.scenario.symptom.client or ()
    there = _with_all_bindings(running, steps, (), shown.set)
    recipe = _to_send(there, f"Case {name}: {shown.title or name}", "bold", steps, shown.expect)
    if not shown.set:
        return recipe
    return _on_another_lab(running, recipe, running.options.changed(shown.set, _ports(running)))


def fix_at_work(running: Running, name: str) -> Recipe:
    """A fix that is on."""
    return _to_send(running, f"See it work, with the fix {name}", GOOD, *_fixed(running, _fix(running, name)))


def fix(running: Running, name: str) -> Recipe:
    """A fix: how it comes into force, and what is to be seen then."""
    shown = _fix(running, name)
    marks = [", ".join(shown.changes), *(["recommended"] if shown.recommended else [])]
    marks.append("deterministic" if shown.deterministic else "not deterministic")
    heading = f"Fix {name}: {shown.title} ({'; '.join(marks)})"
    steps, expect = _fixed(running, shown)
    recipe = _to_send(_with_all_bindings(running, steps, (name,), {}), heading, GOOD, steps, expect)
    if not shown.set:
        return recipe.but("The client does it, and nothing changes on the server.", recipe.lines)
    if name in running.plan.fixes:
        return recipe.but("It is on.", recipe.lines)
    return _on_another_lab(running, recipe, running.options.again(name, shown.set, _ports(running)))


def _with_all_bindings(
    running: Running, steps: Sequence[Step], fixes: tuple[str, ...], overrides: Mapping[str, Any]
) -> Running:
    """The lab as it would be, where the steps go to a binding that only what is to be set adds."""
    if all(step.binding in running.curl.addresses for step in steps):
        return running
    options, loaded, pki = running.options, running.loaded, running.pki
    plan = build(loaded, fixes, overrides, pki, host=options.host, sans=options.sans, port=options.port)
    return Running.of(loaded, plan, pki, plan.listeners, options, running.home)


def _on_another_lab(running: Running, recipe: Recipe, words: list[str]) -> Recipe:
    again = join([*program(), *words])
    if running.options.port == 0 and len(_ports(running)) > 1:
        return recipe.but("Start the lab so; it will have other ports, and say what to send.", [again])
    failing = symptom(running)
    if recipe.lines == failing.lines:
        own = [sentence for sentence in recipe.sentences[:-1] if sentence not in failing.sentences]
        sentences = ["Start the lab so, and send what fails.", *own, *recipe.sentences[-1:]]
        return replace(recipe, sentences=sentences, lines=[again])
    return recipe.but("Start the lab with the first line, and send the rest.", [again, *recipe.lines])


def _fix(running: Running, name: str) -> Fix:
    return running.loaded.scenario.fixes[name]


def _fixed(running: Running, shown: Fix) -> tuple[Sequence[Step], Expect]:
    return shown.client or running.loaded.scenario.symptom.client or (), shown.expect


def _ports(running: Running) -> set[int]:
    return {one.port for one in running.served}


def _to_send(running: Running, heading: str, style: str, steps: Sequence[Step], expect: Expect) -> Recipe:
    lines = running.curl.lines(steps)
    only_told = beyond_clients(steps)
    sentences = [*done_by_others(steps), *only_told, *_sessions(running, steps)]
    if not (running.options.settings or running.options.profile):  # what they change may change how it ends
        whose = "Expect of such a client" if only_told else "Expect"
        sentences.append(f"{whose} {_ending(running, expect, [] if only_told else lines)}.")
    return Recipe(heading, style, sentences, lines)


def _ending(running: Running, expect: Expect, lines: Sequence[str]) -> str:
    """How it ends, for the client that the last line starts: curl, openssl and wget read while they write."""
    expected = expect.for_style(WritingStyle.READS_WHILE_WRITING)
    client = next((name for name in ("openssl", "wget", "python3", "curl") if lines and f"{name} " in lines[-1]), "")
    text = ENDS.get(expected.outcome, f"the answer {expected.outcome}")
    own = OWN_WORDS.get((client, expected.outcome))
    if (client, expected.outcome) == ("curl", "reset"):
        own = RESET_AFTER_A_WHILE if expected.after else RESET_AT_ONCE
    text += f" ({own})" if own else ""
    if expected.certificate is not None and expected.certificate != "none":
        text += f" for {expected.certificate}"
    if expected.resumed is not None:
        text += f", and a last line that says {'Reused' if expected.resumed else 'New'}"
    if expected.arrivals is not None and expected.arrivals > 1:
        text += f"; the request arrives {format_times(expected.arrivals)}"
    if not expected.after:
        return text if expected.outcome not in ENDS else f"that {text}"
    speed, suggested = running.options.speed, running.loaded.scenario.suggested_speed
    scaled = f" ({format_seconds(expected.after / speed)} on your watch)" if speed != 1 else ""
    if speed == 1 and suggested:
        scaled = f" ({format_seconds(expected.after / suggested)} with --speed {suggested:g})"
    return f"nothing for {format_seconds(expected.after)}{scaled}; then {text}"


def _sessions(running: Running, steps: Sequence[Step]) -> Iterator[str]:
    """What to know about lines that keep a session, and about their waits."""
    if comes_back(steps):
        yield COMING_BACK
    waits, speed = sum(step.wait for step in steps), running.options.speed
    suggested = running.loaded.scenario.suggested_speed
    if waits and speed != 1:
        yield f"They wait for {format_seconds(waits)} of the lab's time, {format_seconds(waits / speed)} on your watch."
    elif waits:
        faster = f"; a lab with --speed {suggested:g} needs {format_seconds(waits / suggested)}" if suggested else ""
        yield f"They wait for {format_seconds(waits)}{faster}."


# --- clients that are not curl --------------------------------------------------------------------------------


def done_by_others(steps: Iterable[Step]) -> list[str]:
    """Why a line is not curl's; each sentence once."""
    sentences = [REFUSING] if any(step.renegotiation == "refuse" for step in steps) else []
    sentences += [] if all(step.post_handshake_auth for step in steps) else [NOT_OFFERING]
    sentences += [FILTERING] if any(step.filters_by_issuer for step in steps) else []
    sentences += [WAITING] if any(map(waits_between, connections(steps))) and not comes_back(steps) else []
    return sentences + ([INSISTING] if any(step.insists_on_close_notify for step in steps) else [])


def beyond_clients(steps: Iterable[Step]) -> list[str]:
    """What the client of these steps does and no printed line can; each sentence once."""
    return list(dict.fromkeys(sentence for step in steps for sentence in _beyond_clients(step)))


def _beyond_clients(step: Step) -> Iterator[str]:
    if step.renegotiation == "ignore":
        yield "The client here takes no notice when it is asked to renegotiate, and leaves, as lftp does; curl follows."
    if step.filters_by_usage:
        yield (
            "The client here sends a certificate only if it is meant for clients, as browsers and .NET do; curl sends "
            "what it has."
        )
    if step.sends is not None and not shows_exactly(step):
        yield f"The client here sends {SENDS[step.sends]}; curl sends all that the file after --cert holds."
    if step.answers_after and step.leaves_at is None:
        taken = format_seconds(step.answers_after)
        yield f"The client here takes {taken} to answer, as one does whose user types a PIN; curl answers at once."
    if step.relay:
        size = format_bytes(step.relay)
        yield f"Between the client here and the server a relay takes {size} off its hands; none of these lines has one."
    if step.leaves_at is not None:
        yield (
            "The client here leaves when it is asked for its certificate, and comes back on another connection, as "
            "Chromium does; curl answers where it is."
        )
