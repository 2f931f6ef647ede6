"""What is measured: every combination of a few sizes, and what came of each run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product

from tlslab.scenario.schema import Scenario, Step, WritingStyle

SYMPTOM = "no fix"
UPLOADS = ("POST", "PUT")


class Style(StrEnum):
    """How a client sends its body."""

    WRITE_THEN_READ = "write-then-read"  # http.client, requests, Java, Node
    INTERLEAVED = "interleaved"  # curl, Go
    EXPECT_CONTINUE = "expect-continue"
    PRIME = "prime"  # a GET first, on the same connection

    @property
    def writing(self) -> WritingStyle:
        """Whether it looks at what comes while it sends."""
        interleaved = self is Style.INTERLEAVED
        return WritingStyle.READS_WHILE_WRITING if interleaved else WritingStyle.WRITES_EVERYTHING

    def steps(self, steps: Sequence[Step], body: int, relay: int) -> tuple[Step, ...]:
        """The steps of a trial with this body, sent in this style through such a relay (0: through none)."""
        *before, upload = (step.model_copy(update={"relay": relay}) for step in steps)
        upload = upload.model_copy(update={"body": body})
        if self is Style.EXPECT_CONTINUE and upload.expect_100 is None:
            upload = upload.model_copy(update={"expect_100": 1.0})
        if self is Style.PRIME and not before:
            primer = upload.model_copy(update={"request": f"GET {upload.target}", "body": 0, "expect_100": None})
            before, upload = [primer], upload.model_copy(update={"same_connection": True})
        return (*before, upload)


@dataclass(frozen=True, slots=True)
class Axes:
    """The values of each axis.

    Bytes of body, of the server's receive buffer (0: the system's own) and of the relay (0: none), seconds before the
    server asks, and styles.
    """

    bodies: tuple[int, ...]
    buffers: tuple[int, ...]
    relays: tuple[int, ...]
    delays: tuple[float, ...]
    styles: tuple[Style, ...]

    def __len__(self) -> int:
        return len(self.bodies) * len(self.buffers) * len(self.relays) * len(self.delays) * len(self.styles)


@dataclass(frozen=True, slots=True)
class Setting:
    """What one lab serves: a fix or none, the delay before it asks, and its sockets' receive buffer."""

    fix: str
    delay: float
    buffer: int


@dataclass(frozen=True, slots=True)
class Cell:
    """A place in the grid."""

    setting: Setting
    body: int
    relay: int
    style: Style


@dataclass(slots=True)
class Tally:
    """What came of the runs of a cell: how many uploads arrived with the certificate, froze, and ended otherwise."""

    arrived: int = 0
    froze: int = 0
    others: dict[str, int] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        """All of them."""
        return self.arrived + self.froze + sum(self.others.values())

    def add(self, *, outcome: str, certificate: str | None, stalled: bool) -> None:
        """Count a run: one that stalled and arrived all the same did arrive."""
        if outcome == "200" and certificate is not None:
            self.arrived += 1
        elif stalled:
            self.froze += 1
        else:
            self.others[outcome] = self.others.get(outcome, 0) + 1

    def __str__(self) -> str:
        return f"{self.arrived}/{self.runs}"


Results = dict[Cell, Tally]


def settings(fixes: Iterable[str], axes: Axes) -> list[Setting]:
    """The labs that are needed, in order."""
    return [Setting(*one) for one in product(fixes, axes.delays, axes.buffers)]


def cells(setting: Setting, axes: Axes) -> Iterator[Cell]:
    """What is run against one lab."""
    for body, relay, style in product(axes.bodies, axes.relays, axes.styles):
        yield Cell(setting, body, relay, style)


def measurable(scenario: Scenario) -> bool:
    """Whether the scenario's failure is one upload that stalls."""
    steps = scenario.symptom.client or ()
    expect = scenario.symptom.expect.for_style(WritingStyle.WRITES_EVERYTHING)
    return len(steps) == 1 and steps[0].method in UPLOADS and "EntityBodyStalled" in expect.events


def by_fix(results: Results) -> dict[str, Tally]:
    """All runs of each fix together."""
    sums: dict[str, Tally] = {}
    for cell, tally in results.items():
        _merge(sums.setdefault(cell.setting.fix, Tally()), tally)
    return sums


def by_column(results: Results) -> dict[str, dict[tuple[int, int, Style], Tally]]:
    """The runs of each fix by body, relay and style: the delays and buffers together."""
    sums: dict[str, dict[tuple[int, int, Style], Tally]] = {}
    for cell, tally in results.items():
        columns = sums.setdefault(cell.setting.fix, {})
        _merge(columns.setdefault((cell.body, cell.relay, cell.style), Tally()), tally)
    return sums


def _merge(into: Tally, more: Tally) -> None:
    into.arrived += more.arrived
    into.froze += more.froze
    for outcome, count in more.others.items():
        into.others[outcome] = into.others.get(outcome, 0) + count
