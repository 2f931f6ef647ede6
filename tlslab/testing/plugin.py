"""The pytest plugin: fixtures `tlslab` and `tlslab_factory`, the mark `tlslab`, and what a failed test leaves behind.

It imports nothing of the lab before a test asks for one.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tlslab.testing.lab import Lab

MARK = (
    "tlslab(scenario, *, fix=(), settings=None, speed=None): the lab that the fixture `tlslab` serves; see "
    "tlslab.open_lab"
)
USAGE = 'say which lab: @pytest.mark.tlslab("large-post-deadlock", fix="negotiate-on-binding")'
LABS: pytest.StashKey[list[Lab]] = pytest.StashKey()
FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --tlslab-artifacts."""
    parser.getgroup("tlslab").addoption(
        "--tlslab-artifacts",
        metavar="DIR",
        type=Path,
        help="keep capture.pcapng, events.jsonl and ladder.txt of each lab of a failed test, in DIR/TEST",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark."""
    config.addinivalue_line("markers", MARK)


@pytest.fixture
def tlslab_factory(request: pytest.FixtureRequest) -> Iterator[Callable[..., Lab]]:
    """Serve a lab until the test is over: `tlslab_factory("large-post-deadlock", fix="negotiate-on-binding")`."""
    item, folder = request.node, _folder(request)
    labs = item.stash.setdefault(LABS, [])
    with ExitStack() as stack:
        if folder is not None:
            stack.callback(_keep, item, folder)

        def serve(scenario: str, *, fix: str | Sequence[str] = (), **more: Any) -> Lab:
            from tlslab.testing.opening import open_lab

            if folder is not None:
                place = folder / str(len(labs) + 1)
                place.mkdir(parents=True, exist_ok=True)
                more |= {"pcapng": place / "capture.pcapng", "events": place / "events.jsonl"}
            lab = stack.enter_context(open_lab(scenario, fixes=fix, **more))
            labs.append(lab)
            return lab

        yield serve


@pytest.fixture
def tlslab(request: pytest.FixtureRequest, tlslab_factory: Callable[..., Lab]) -> Lab:
    """The lab that the test's mark `tlslab` names."""
    mark = request.node.get_closest_marker("tlslab")
    if mark is None or not mark.args:
        raise pytest.UsageError(f"{request.node.nodeid}: the fixture tlslab has no mark; {USAGE}")
    return tlslab_factory(*mark.args, **mark.kwargs)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what each lab saw into the report of a test that failed."""
    report = yield
    labs = item.stash.get(LABS, [])
    if report.failed and report.when == "call" and labs:
        item.stash[FAILED] = True
        for lab in labs:
            told = lab.ladder() or "nobody connected"
            report.sections.append((f"tlslab: {lab.scenario}", f"{told}\n\n{lab.summary()}".rstrip()))
    return report


def _folder(request: pytest.FixtureRequest) -> Path | None:
    """Where the test's artifacts go, if they are wanted."""
    wanted: Path | None = request.config.getoption("--tlslab-artifacts")
    return None if wanted is None else wanted / re.sub(r"[^\w.-]+", "-", request.node.nodeid).strip("-")


def _keep(item: pytest.Item, folder: Path) -> None:
    """Keep the artifacts of a test that failed, whose labs have ended; the ladder is written last."""
    if not item.stash.get(FAILED, False):
        shutil.rmtree(folder, ignore_errors=True)
        return
    labs = item.stash[LABS]
    for number, lab in enumerate(labs, 1):
        (folder / str(number) / "ladder.txt").write_text(f"{lab.ladder()}\n\n{lab.summary()}\n", encoding="utf-8")
