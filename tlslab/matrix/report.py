"""What the clients did, as Markdown and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from tlslab.matrix.runs import OfClient, Played, Skipped
from tlslab.text import format_times


def as_json(
    results: Sequence[OfClient], versions: Mapping[str, str], missing: Mapping[str, str], when: datetime
) -> Any:
    """All of it, for programs."""
    return {
        "date": f"{when:%Y-%m-%d}",
        "clients": dict(versions),
        "missing": dict(missing),
        "results": [{**asdict(one), "as_promised": one.is_as_promised} for one in results if isinstance(one, Played)],
        "skipped": [asdict(one) for one in results if isinstance(one, Skipped)],
    }


def as_markdown(
    results: Sequence[OfClient], versions: Mapping[str, str], missing: Mapping[str, str], when: datetime
) -> str:
    """A table for each scenario: a row for each client, a column for each trial; then what each said."""
    return "\n".join([*_head(versions, missing, when), *_tables(results), *_words(results), ""])


def _head(versions: Mapping[str, str], missing: Mapping[str, str], when: datetime) -> Iterator[str]:
    yield f"Measured on {when:%d %B %Y}, once each, against the lab on loopback:"
    yield ""
    yield from (f"- {name}: {version}" for name, version in versions.items())
    yield from (f"- {name}: not measured, {why}" for name, why in missing.items())
    yield ""
    yield "In a cell: what the lab saw in the end; **bold** where the scenario promises something else of its client."


def _tables(results: Sequence[OfClient]) -> Iterator[str]:
    for scenario in dict.fromkeys(one.scenario for one in results):
        mine = [one for one in results if one.scenario == scenario]
        columns = list(dict.fromkeys(one.trial for one in mine if isinstance(one, Played)))
        if not columns:
            yield from (
                "",
                f"## {scenario}",
                "",
                f"No real client takes it: {mine[0].why if isinstance(mine[0], Skipped) else ''}.",
            )
            continue
        yield from ("", f"## {scenario}", "")
        yield f"| client | {' | '.join(one.removeprefix('fixes.') for one in columns)} |"
        yield "|---" * (len(columns) + 1) + "|"
        for client in dict.fromkeys(one.client for one in mine):
            cells = {one.trial: _cell(one) for one in mine if one.client == client}
            yield f"| {client} | {' | '.join(cells.get(column, '') for column in columns)} |"


def _cell(one: OfClient) -> str:
    if isinstance(one, Skipped):
        return f"- ({one.why})"
    seen = one.seen if one.is_as_promised else f"**{one.seen}**"
    return f"{seen}, sent {format_times(one.attempts)}" if one.attempts > 1 else seen


def _words(results: Sequence[OfClient]) -> Iterator[str]:
    """What clients say where they got no answer; each text once."""
    said: dict[tuple[str, str], list[str]] = {}
    for one in results:
        if isinstance(one, Played) and one.said.error:
            said.setdefault((one.client, one.said.error), []).append(f"{one.scenario} ({one.trial})")
    if said:
        yield from (
            "",
            "## In the clients' own words",
            "",
            "| client | it says | exit code | of |",
            "|---|---|---|---|",
        )
    codes = {(one.client, one.said.error): one.said.exit_code for one in results if isinstance(one, Played)}
    for (client, text), places in said.items():
        plain = text.replace("|", "\\|")
        yield f"| {client} | `{plain}` | {codes[client, text]} | {places[0]}{' ...' * (len(places) > 1)} |"
