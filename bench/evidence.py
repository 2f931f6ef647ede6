"""What a lab has left behind after a run of faults: whether its evidence is whole, and its memory flat."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

GROWTH = 1.1  # of the lab's memory between the second third of the time and the last
KEYS = re.compile(r"#.*|[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]+")
HTTPERR = re.compile(r"#.*|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d( \S+){11,13}")
W3C = re.compile(r"#.*|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d( \S+){13}")
# --- what is left ----------------------------------------------------------------------------------


def torn(path: Path, form: Callable[[str], object]) -> list[str]:
    """The lines of a file that are not what they should be."""
    found = []
    with path.open(encoding="utf-8", errors="strict", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            try:
                whole = line.endswith("\n") and form(line[:-1])
            except ValueError:
                whole = None
            if not whole:
                found.append(f"{path.name}:{number}: {line[:100]!r}")
    return found


def check_files(folder: Path, done: Counter[str]) -> list[str]:
    """What is wrong with the evidence."""
    wrong = torn(folder / "events.jsonl", json.loads) + torn(folder / "keys", KEYS.fullmatch)
    forms: dict[str, Callable[[str], object]] = {
        "u_ex": W3C.fullmatch,
        "http": HTTPERR.fullmatch,
        "windows-events.j": json.loads,
    }
    for path in sorted((folder / "logs").iterdir()):
        wrong += [one for begin, form in forms.items() if path.name.startswith(begin) for one in torn(path, form)]
    if tshark := shutil.which("tshark"):
        words = [tshark, "-n", "-r", str(folder / "lab.pcapng"), "-Y", "http.response", "-T", "fields"]
        ran = subprocess.run([*words, "-e", "http.response.code"], capture_output=True, text=True, check=False)
        done["answers that tshark decrypts"] = len(ran.stdout.split())
        wrong += [f"tshark: {line}" for line in ran.stderr.splitlines() if "root" not in line]
        wrong += [f"tshark ends with {ran.returncode}"] * (ran.returncode != 0)
    return wrong


def check_events(folder: Path, done: Counter[str]) -> list[str]:
    """What the lab says of itself that it should not."""
    kinds: Counter[str] = Counter()
    open_ends: Counter[str] = Counter()
    last: dict[str, str] = {}  # what was said of a file last
    wrong = []
    with (folder / "events.jsonl").open() as lines:
        for event in map(json.loads, lines):
            kinds[event["event"]] += 1
            if event["event"] == "InternalFault":
                wrong.append(f"a fault: {event['detail']} {event['traceback']}")
            elif event["event"].startswith("Evidence"):
                last[event["what"]] = event["event"]
                open_ends[event["what"]] += 1 if event["event"] == "EvidenceEnded" else -1
                done[f"missing in {event['what']}"] += event.get("missing", 0)
    for kind in ("ConnectionOpened", "EntityBodyStalled", "ResponseSent", "EvidenceEnded", "EvidenceResumed"):
        done[f"events {kind}"] = kinds[kind]
    wrong += [f"{what} did not go on" for what, kind in last.items() if kind == "EvidenceEnded"]
    if not done["missing in events_file"]:  # else what was said may be among what is missing
        wrong += [f"{what} ended and went on unequally often" for what, count in open_ends.items() if count]
    return wrong


def check_memory(memory: Sequence[tuple[float, int]], done: Counter[str]) -> list[str]:
    """Whether the lab's memory grew once all its clients were there.

    Two tables fill by design: 20,000 sessions of 1.8 KB, and 65,536 ids that have left (session_cache.REMEMBERED) of
    0.5 KB. At 85 handshakes a second that takes 4 minutes, and 17.
    """
    seconds = memory[-1][0]
    middle, last = (
        sorted(size for at, size in memory if seconds * part / 3 <= at < seconds * (part + 1) / 3) for part in (1, 2)
    )
    before, after = middle[len(middle) // 2], last[len(last) // 2]
    for tenth in range(1, 11):
        done[f"MB of memory after {seconds * tenth / 600:.1f} minutes"] = (
            next(size for at, size in memory if at >= seconds * tenth / 10) // 1_000_000
        )
    most = max(size for _, size in memory)
    for when, size in {"second third (median)": before, "last third (median)": after, "at most": most}.items():
        done[f"MB of memory, {when}"] = size // 1_000_000
    return [f"its memory grew from {before:,} to {after:,} bytes"] * (after > before * GROWTH)
