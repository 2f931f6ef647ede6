"""`tlslab probe --scenario`: a scenario and a client of the lab's own, seen from both sides."""

from __future__ import annotations

from collections.abc import Sequence

from tlslab.cli.console import console, tell
from tlslab.lab.home import open_home
from tlslab.scenario.load import load
from tlslab.scenario.overlay import parse_set
from tlslab.scenario.schema import WritingStyle
from tlslab.scenario.windows_names import understood
from tlslab.verify.live import take
from tlslab.verify.trials import trials


def probe_scenario(
    source: str,
    *,
    kind: str | None,
    fixes: Sequence[str],
    settings: Sequence[str],
    speed: float | None,
    as_json: bool,
) -> int:
    """Take the steps of the symptom, print what was seen, and give the exit code. LabError: it cannot be served."""
    loaded = load(source)
    understood(loaded.data, dict(map(parse_set, settings)), loaded.ground)
    pki = open_home()
    tell(pki.server.news)
    symptom = next(trials(loaded.scenario))
    result = take(loaded, symptom, symptom, WritingStyle.WRITES_EVERYTHING, pki, speed)
    console().print("as promised" if not result.differences else "\n".join(result.differences))
    return 1 if result.differences else 0
