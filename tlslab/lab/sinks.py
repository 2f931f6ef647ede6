"""What a lab tells programs: events as JSON, and the sign that it is ready."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

from tlslab.capture.files import NAME_A_FILE
from tlslab.errors import in_words
from tlslab.events import Event


def event_json(event: Event) -> str:
    """An event as one JSON object with an `event` key; values that are not JSON's own are their text."""
    content: dict[str, Any] = {"event": type(event).__name__}
    content.update((field.name, getattr(event, field.name)) for field in fields(event))
    content["at"] = round(event.at, 6)
    return json.dumps(content, default=str)


def write_ready_file(path: Path, content: dict[str, Any]) -> None:
    """Write JSON so that whoever waits for the file never sees half of it.

    LabError: it cannot be written, or something that is no file (a device, a pipe) stands in its place.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with in_words(f"cannot write the ready file {path}", NAME_A_FILE):
        if path.exists() and not path.is_file():
            raise OSError(0, "it is there, and no file")
        try:
            draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            os.replace(draft, path)
        finally:
            with contextlib.suppress(OSError, ValueError):
                draft.unlink(missing_ok=True)
