"""The command line that serves the same again, with a fix."""

from __future__ import annotations

import pytest

from tlslab.cli.serve import command
from tlslab.lab.options import Options

FULL = Options(
    "s",
    ("old",),
    ("a=1", "b=2"),
    24.0,
    "0.0.0.0",
    ("one", "two"),
    9000,
    events="-",
    keylog="k",
    verbose=True,
    profile="w",
)


def test_again():
    """What decides how the lab behaves and where it listens is said again; other fixes and files are not."""
    words = FULL.again("new", (), {9000})
    assert " ".join(words) == (
        "serve --scenario s --fix new --set a=1 --set b=2 --profile w --speed 24 --host 0.0.0.0 --san one "
        "--san two --port 9000"
    )
    given = command.make_context("serve", words[1:]).params
    assert (given["fixes"], given["settings"], given["speed"]) == (("new",), ("a=1", "b=2"), 24.0)


def test_a_setting_that_would_undo_the_fix_is_left_out():
    """--set is laid over fixes, and the printed line is to cure."""
    options = Options("s", settings=("a.b=1", "a.c=2", "x.y.z=3", "q=4"))
    assert options.again("f", ("a.b", "x.y", "q.r"), {9000})[5:] == ["--set", "a.c=2"]


@pytest.mark.parametrize(
    ("asked", "ports", "again"),
    [(None, {8443}, []), (0, {8443}, ["8443"]), (0, {8443, 8444}, ["0"]), (9000, {9000, 9001}, ["9000"])],
)
def test_the_port(asked, ports, again):
    """A port the system chose is kept, so that the printed client lines stay true."""
    assert Options("s", port=asked).again("f", (), ports)[6:] == again
