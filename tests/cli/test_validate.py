"""`tlslab validate`."""

from __future__ import annotations

import pytest

from tlslab.scenario import catalogue

GOOD = (catalogue.folder() / "large-post-deadlock.yaml").read_text(encoding="utf-8")


def test_good(run, tmp_path):
    """A sound file is called good, with exit code 0."""
    file = tmp_path / "good.yaml"
    file.write_text(GOOD, encoding="utf-8")
    result = run("validate", str(file))
    assert (result.exit_code, result.output) == (0, f"{file}: good, with 11 fixes\n")


def test_every_problem(run, tmp_path):
    """Every problem of every file, each with file, line and column and what would be right; exit code 1."""
    bad, good, gone = tmp_path / "bad.yaml", tmp_path / "good.yaml", tmp_path / "gone.yaml"
    good.write_text(GOOD, encoding="utf-8")
    bad.write_text(GOOD.replace("title: A large", "titel: A large", 1).replace("120s}", "soon}", 1), encoding="utf-8")
    result = run("validate", str(bad), str(good), str(gone))
    assert result.exit_code == 1
    assert f"{bad}:3:1: titel: there is no such key here; did you mean title?\n" in result.output
    assert "expected a duration such as 120s" in result.output
    assert f"{good}: good" in result.output
    assert f"cannot read {gone}" in result.output


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b": : [", b"[]", b"a: &x [*x]"])
def test_what_is_no_scenario(run, tmp_path, content):
    """Anything else is a line with a place."""
    file = tmp_path / "x.yaml"
    file.write_bytes(content)
    result = run("validate", str(file))
    assert (result.exit_code, result.output.startswith(f"{file}:1:")) == (1, True)


def test_a_folder(run, tmp_path):
    """A folder is no file."""
    result = run("validate", str(tmp_path))
    assert (result.exit_code, f"cannot read {tmp_path}" in result.output) == (1, True)
