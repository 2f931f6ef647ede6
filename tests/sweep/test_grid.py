"""What is swept, and how it is counted and told."""

from __future__ import annotations

import csv
import io

import pytest

from tlslab.scenario.load import load
from tlslab.scenario.schema import Step, WritingStyle
from tlslab.sweep.grid import SYMPTOM, Axes, Style, Tally, by_column, by_fix, cells, measurable, settings
from tlslab.sweep.report import rows, to_csv, to_json

LARGE = load("large-post-deadlock")
AXES = Axes((1, 2), (0,), (0, 4), (0.0, 1.0), (Style.INTERLEAVED, Style.PRIME))
FIX = "client-drains-too"


def step(**given: object) -> Step:
    """An upload."""
    return Step.model_validate({"request": "POST /upload?x", "body": 5, **given})


def test_styles():
    """A style changes how the last request is sent, and adds what it needs; what a fix does by itself stays."""
    [plain] = Style.WRITE_THEN_READ.steps([step()], 9, 4)
    assert (plain.body, plain.relay, plain.expect_100) == (9, 4, None)
    assert Style.EXPECT_CONTINUE.steps([step()], 9, 0)[0].expect_100 == 1.0
    assert Style.EXPECT_CONTINUE.steps([step(expect_100=3.0)], 9, 0)[0].expect_100 == 3.0
    primer, upload = Style.PRIME.steps([step()], 9, 4)
    assert (primer.request, primer.body, primer.relay) == ("GET /upload?x", 0, 4)
    assert upload.same_connection
    own = [step(request="HEAD /upload", body=0), step(same_connection=True)]
    assert len(Style.PRIME.steps(own, 9, 0)) == 2
    assert {style.writing for style in Style} == set(WritingStyle)


def test_every_combination_once():
    """A lab for each fix, delay and buffer; against it every body, relay and style."""
    plan = settings([SYMPTOM, FIX], AXES)
    found = [cell for setting in plan for cell in cells(setting, AXES)]
    assert len(found) == len(set(found)) == 2 * len(AXES) == 32


@pytest.mark.parametrize(
    ("outcome", "certificate", "stalled", "told"),
    [
        ("200", "CN=alice", False, (1, 0, {})),
        ("200", "CN=alice", True, (1, 0, {})),
        ("200", None, False, (0, 0, {"200": 1})),
        ("reset", None, True, (0, 1, {})),
        ("reset", None, False, (0, 0, {"reset": 1})),
        ("413", None, False, (0, 0, {"413": 1})),
    ],
)
def test_what_a_run_counts_as(outcome, certificate, stalled, told):
    """It arrived with its certificate, it froze, or it ended otherwise, and how."""
    tally = Tally()
    tally.add(outcome=outcome, certificate=certificate, stalled=stalled)
    assert (tally.arrived, tally.froze, tally.others) == told
    assert tally.runs == 1


def test_sums():
    """By fix, and by what a column of the picture is; the table says what the document promises beside it."""
    plan = settings([SYMPTOM, FIX], AXES)
    results = {cell: Tally(int(cell.body == 1), int(cell.body == 2)) for one in plan for cell in cells(one, AXES)}
    assert str(by_fix(results)[FIX]) == "8/16"
    assert str(by_column(results)[FIX][(1, 4, Style.PRIME)]) == "2/2"
    told = {row[0]: row[1:] for row in rows(LARGE, results)}
    assert told[FIX] == ("8/16", "8", "", "not certain by its document; sometimes here")
    assert told[SYMPTOM][-1] == "the failure itself"
    lines = list(csv.DictReader(io.StringIO(to_csv(LARGE, results))))
    assert len(lines) == len(to_json(LARGE, results)["cells"]) == len(results)
    assert (lines[-1]["fix"], lines[-1]["relay"], lines[-1]["froze"]) == (FIX, "4", "1")


def test_what_can_be_swept():
    """A scenario whose failure is one upload that stalls."""
    assert measurable(LARGE.scenario)
    assert not measurable(load("stale-binding").scenario)
    assert not measurable(load("upload-read-ahead-413").scenario)
