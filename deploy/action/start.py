"""Start a lab that outlives this step, and hand on what the rest of the job needs: a step of action.yml.

What is asked for comes in INPUT_SCENARIO, INPUT_FIX, INPUT_SET, INPUT_PROFILE, INPUT_SPEED, INPUT_PORT and
INPUT_EVIDENCE. GitHub sets RUNNER_TEMP, where everything goes, and names the files GITHUB_ENV and GITHUB_OUTPUT.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

READY_SECONDS = 60.0
POLL_SECONDS = 0.05


def main() -> int:
    """Start it, wait until it is ready, and return the exit code: 1 with the lab's own words where it is not."""
    given = os.environ
    temp = Path(given["RUNNER_TEMP"])
    folder = Path(tempfile.mkdtemp(prefix="lab-", dir=temp))
    evidence = Path(given.get("INPUT_EVIDENCE") or folder / "evidence").absolute()
    evidence.mkdir(parents=True, exist_ok=True)
    ready_file, output = folder / "ready.json", folder / "output.txt"  # both have the token, and are no evidence
    tlslab = str(temp / "tlslab" / "venv" / "bin" / "tlslab")
    command = [tlslab, "serve", *words(given), "--speed", given.get("INPUT_SPEED") or suggested(tlslab, given)]
    command += ["--control", "0", "--ready-file", str(ready_file), "--events", str(evidence / "events.jsonl")]
    command += ["--pcapng", str(evidence / "capture.pcapng"), "--logs", str(evidence / "logs")]
    home = {"TLSLAB_HOME": str(temp / "tlslab" / "home")}  # the keys go with the job, and all its labs have the same
    with output.open("wb") as printed:  # a pipe to the runner would keep the step from ending
        lab = subprocess.Popen(
            command,
            env={**home, **given},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            start_new_session=True,
        )
    ends = time.monotonic() + READY_SECONDS
    while not ready_file.exists():
        if lab.poll() is not None or time.monotonic() > ends:
            return complain(lab, output.read_text(encoding="utf-8", errors="replace"))
        time.sleep(POLL_SECONDS)
    ready = json.loads(ready_file.read_text(encoding="utf-8"))
    say(f"::add-mask::{ready['control']['token']}")  # before it is written anywhere
    hand_on({**facts(ready), "ready-file": str(ready_file), "evidence": str(evidence)})
    say(output.read_text(encoding="utf-8", errors="replace"))
    return 0


def suggested(tlslab: str, given: Mapping[str, str]) -> str:
    """Return the speed that the scenario suggests; 1 where it suggests none, or is one that `serve` will not find."""
    show = [tlslab, "show", given["INPUT_SCENARIO"], "--json"]
    shown = subprocess.run(show, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return str(json.loads(shown.stdout).get("suggested_speed") or 1) if shown.returncode == 0 else "1"


def words(given: Mapping[str, str]) -> list[str]:
    """Return the words after `tlslab serve` for what is asked for: a fix a word, a setting a line."""
    chosen = [given["INPUT_SCENARIO"], "--port", given.get("INPUT_PORT") or "0"]
    for fix in given.get("INPUT_FIX", "").split():
        chosen += ["--fix", fix]
    for setting in filter(None, map(str.strip, given.get("INPUT_SET", "").splitlines())):
        chosen += ["--set", setting]
    if given.get("INPUT_PROFILE"):
        chosen += ["--profile", given["INPUT_PROFILE"]]
    return chosen


def facts(ready: Mapping[str, Any]) -> dict[str, str]:
    """Return what a client needs, by the names of the action's outputs."""
    alice = ready["identities"]["alice"]
    return {
        "url": ready["target_url"],
        "ca-file": ready["ca_file"],
        "cert-file": alice["cert_file"],
        "key-file": alice["key_file"],
        "pkcs12-file": alice["pkcs12_file"],
        "pkcs12-password": alice["pkcs12_password"],
        "control-url": ready["control"]["url"],
        "control-token": ready["control"]["token"],
        "pid": str(ready["pid"]),
    }


def hand_on(outputs: Mapping[str, str]) -> None:
    """Make them outputs of the step, `ca-file`, and variables of the job, `TLSLAB_CA_FILE`."""
    with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in outputs.items())
    with open(os.environ["GITHUB_ENV"], "a", encoding="utf-8") as file:
        file.writelines(f"TLSLAB_{name.upper().replace('-', '_')}={value}\n" for name, value in outputs.items())


def complain(lab: subprocess.Popen[bytes], said: str) -> int:
    """End a lab that did not get ready, and show what it said where the job's errors are."""
    lab.kill()
    say(said)
    _, found, reason = said.rpartition("tlslab: ")
    text = reason.strip() if found else f"the lab was not ready after {READY_SECONDS:g} s"
    say(f"::error title=tlslab::{text.replace('%', '%25').replace(chr(10), '%0A')}")  # as GitHub reads two lines
    return 1


def say(text: str) -> None:
    """Write to the step's log, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
