"""Copies a capture that another process is writing, while it grows, in whole blocks."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

from tlslab.capture.files import OutputFile
from tlslab.capture.pcapng import whole_blocks
from tlslab.errors import in_words

LOOK_SECONDS = 0.05


class Following:
    """Between enter and exit `target` gets what is written to `source`, which must be there; on exit, the rest.

    LabError, on exit: the source could not be read.
    """

    def __init__(self, source: Path, target: OutputFile) -> None:
        self._source = source
        self._target = target
        self._over = threading.Event()
        self._error: OSError | None = None
        self._copier = threading.Thread(target=self._copy, daemon=True)

    def _copy(self) -> None:
        try:
            self._copy_on()
        except OSError as error:
            self._error = error

    def _copy_on(self) -> None:
        left = b""
        with self._source.open("rb") as source:
            over = False
            while not over:
                over = self._over.wait(LOOK_SECONDS)
                left += source.read()
                for block in (blocks := list(whole_blocks(left))):
                    self._target.write(block)
                left = left[sum(map(len, blocks)) :]

    def __enter__(self) -> Following:
        self._copier.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._copier.join()
        if self._error is not None and error is None:
            with in_words(f"cannot read {self._source}, which the capture is copied from"):
                raise self._error
