"""Errors that a person can mend say what and where."""

from __future__ import annotations

import pytest

from tlslab.errors import LabError, LocalMisuse, Problem, ScenarioError, UsageProblem, WireError


def test_a_lab_error_has_a_hint():
    """The message is its text; the hint stands beside it and may be missing."""
    error = LabError("port 8443 is in use", "try --port 0")
    assert (str(error), error.hint, LabError("x").hint) == ("port 8443 is in use", "try --port 0", "")


def test_a_scenario_error_tells_every_problem_with_its_place():
    """One line each, as editors and CI read them."""
    error = ScenarioError([Problem("a.yaml", 3, 5, "no such key"), Problem("a.yaml", 9, 1, "not a size")])
    assert str(error) == "a.yaml:3:5: no such key\na.yaml:9:1: not a size"
    assert len(error.problems) == 2


@pytest.mark.parametrize(
    ("kind", "is_lab_error"), [(UsageProblem, True), (ScenarioError, True), (LocalMisuse, False), (WireError, False)]
)
def test_only_what_a_person_can_mend_is_a_lab_error(kind, is_lab_error):
    """The command line catches LabError alone: a defect of ours must not look like the user's fault."""
    assert issubclass(kind, LabError) is is_lab_error
