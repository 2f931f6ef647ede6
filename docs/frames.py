"""Writes the frames of docs/reading-a-trace.md anew: `make docs`.

A block of the page between `<!-- frames: SCENARIO TRIAL -->` and `<!-- end -->` is made from a capture of the lab: the
trial is run in memory, on a network without delay and a clock that jumps, its packets are written as by
`tlslab serve --pcapng`, and tshark, with nothing but that file, says what they are. Below it stands what `tlslab trace`
makes of the same file.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from tlslab.capture.files import OutputFile
from tlslab.capture.recording import Capture
from tlslab.client.identities import People
from tlslab.pki.store import Pki, open_pki
from tlslab.scenario.build import build
from tlslab.scenario.load import load
from tlslab.scenario.schema import WritingStyle
from tlslab.trace.report import explain
from tlslab.trace.tshark import read_trace
from tlslab.verify.memory import World
from tlslab.verify.trials import trials

PAGE = Path(__file__).parent / "reading-a-trace.md"
BLOCK = re.compile(r"(<!-- frames: (\S+) (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def capture(scenario: str, trial_name: str, pki: Pki, path: Path) -> None:
    """Run a trial and write its capture."""
    loaded = load(scenario)
    [trial] = [one for one in trials(loaded.scenario) if one.name == trial_name]
    plan = build(loaded, trial.fixes, trial.overrides, pki)
    with OutputFile(str(path), "the capture") as file:
        tap = Capture(file, 0.0, "tlslab", f"scenario {scenario}, {trial_name}")
        World(plan, People(pki), WritingStyle.READS_WHILE_WRITING, tap, tap.note).walk(trial.client)


# --- what tshark shows --------------------------------------------------------------------------------------------

FIELDS = (
    "frame.number",
    "frame.time_relative",
    "tcp.stream",
    "tcp.dstport",
    "tcp.len",
    "_ws.col.Info",
    "frame.comment",
)
# A request is shown where its head is, not where its body ends: else a frozen upload would show no request at all.
PREFERENCES = ("-o", "http.desegment_body:FALSE")
PIECES = re.compile(
    r"\[T(CP|LS) segment of a reassembled PDU\]|\[TCP PDU reassembled in \d+\]|Continuation|\S+ → .*Len=\d+"
)
FLAGS = re.compile(r"\[(SYN|SYN, ACK|FIN, ACK|RST, ACK|RST|TCP ZeroWindow|TCP Window Update)\]")


@dataclass(frozen=True)
class Row:
    """A frame as Wireshark lists it; `what` is "" for a piece of something larger."""

    frame: int
    seconds: float
    stream: str
    sender: str
    length: int
    what: str
    comments: tuple[str, ...]


def rows(path: Path) -> Iterator[Row]:
    """Read a capture, and leave out acknowledgments that say nothing else."""
    words = ["tshark", "-r", str(path), *PREFERENCES, "-T", "fields", "-E", "separator=/t", "-E", "aggregator=|"]
    for name in FIELDS:
        words += ["-e", name]
    with tempfile.TemporaryDirectory() as nothing:
        alone = {**os.environ, "WIRESHARK_CONFIG_DIR": nothing, "HOME": nothing, "LC_ALL": "C.UTF-8"}
        done = subprocess.run(words, env=alone, capture_output=True, encoding="utf-8", check=True)
    for line in done.stdout.splitlines():
        frame, seconds, stream, port, length, info, comments = line.split("\t")
        flags = FLAGS.search(info)
        if length == "0" and flags is None:
            continue
        what = flags[0] if flags else " ".join(PIECES.sub("", info).strip(" ,").split())
        sender = "client" if port == "8443" else "server"
        yield Row(
            int(frame), float(seconds), stream, sender, int(length), what, tuple(filter(None, comments.split("|")))
        )


def lines(path: Path) -> Iterator[str]:
    """The rows as text: runs of pieces are counted, comments stand below their frame."""
    yield "frame   seconds  from    what Wireshark shows, and the lab's comments"
    stream = "0"
    for is_piece, group in groupby(rows(path), key=lambda row: not row.what and not row.comments):
        run = list(group)
        if is_piece:
            yield _line(run[0], f"... {len(run)} frame{'s' * (len(run) > 1)} with pieces of a message or body")
            continue
        for row in run:
            if row.stream != stream:
                stream = row.stream
                yield "        --- another connection ---"
            yield _line(row, row.what or "...")
            for comment in row.comments:
                yield from textwrap.wrap(
                    comment, 96, initial_indent=" " * 25 + "| ", subsequent_indent=" " * 25 + "|   "
                )


def _line(row: Row, what: str) -> str:
    return f"{row.frame:>5}  {row.seconds:>8.3f}  {row.sender:6}  {what}".rstrip()


def verdict(path: Path) -> Iterator[str]:
    """What `tlslab trace` concludes, connection by connection."""
    for one in explain(read_trace(path)).connections:
        silence = one.silence
        if silence is not None and silence.seconds >= 1:
            probably = "Probably: " if silence.turn.is_probable else ""
            yield f"{silence.seconds:.0f} s of silence after frame {silence.after.frame}. {probably}{silence.turn.why}"
        for finding in one.findings:
            probably = "Probably: " if finding.certainty == "probable" else ""
            yield f"{probably}{finding.sentence} (`tlslab show {'`, `tlslab show '.join(finding.scenarios)}`)"


# --- the page -----------------------------------------------------------------------------------------------------


def block(scenario: str, trial_name: str, pki: Pki) -> str:
    """The frames of a trial and what is made of them, as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.pcapng"
        capture(scenario, trial_name, pki, path)
        frames, said = "\n".join(lines(path)), list(verdict(path))
    text = f"```text\n{frames}\n```\n"
    if said:
        text += "\n`tlslab trace` says:\n\n" + "".join(f"- {sentence}\n" for sentence in said)
    return settled(text)


def settled(text: str) -> str:
    """Take out what another PKI and another run would have otherwise."""
    text = re.sub(r"(tlslab \w+ CA) [0-9a-f]{8}", r"\1", text)
    return re.sub(r"\b(session|one is) [0-9a-f]{8}\b(\.\.\.)?", r"\1 ...", text)


def page(text: str, pki: Pki) -> str:
    """The page with every block made anew."""
    return BLOCK.sub(lambda match: f"{match[1]}\n{block(match[2], match[3], pki)}\n{match[4]}", text)


def main() -> None:
    """Rewrite the page."""
    with tempfile.TemporaryDirectory() as home:
        pki = open_pki(Path(home), datetime.now(UTC))
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), pki), encoding="utf-8")


if __name__ == "__main__":
    main()
