"""What was said on the command line of `serve`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tlslab.knobs import parse_bytes
from tlslab.text import format_bytes


def between(low: float, high: float) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Make the check of an option that takes numbers from `low` to `high`, and not nan."""

    def check(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
        if value is not None and not low <= value <= high:
            raise click.BadParameter(f"{value:g} is not from {low:g} to {high:g}")
        return value

    return check


def a_size(smallest: int) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Make the check of an option that takes a size such as 10MiB, of at least `smallest` bytes."""

    def check(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
        try:
            size = None if value is None else parse_bytes(value)
        except ValueError as error:
            raise click.BadParameter(f"{value!r}: {error}") from None
        if size is not None and size < smallest:
            raise click.BadParameter(f"{value} is less than {format_bytes(smallest)}")
        return size

    return check


Command = TypeVar("Command", bound=Callable[..., Any])


SMALLEST_CAPTURE = 1024  # bytes: what the capture says of itself has to fit


OPTIONS = (
    click.option(
        "--pcapng", metavar="FILE|-", help="Write a capture that Wireshark opens decrypted; - is standard output."
    ),
    click.option(
        "--pcapng-limit",
        callback=a_size(SMALLEST_CAPTURE),
        metavar="SIZE",
        help="End the capture before it is larger than this: 500KB, 10MiB.",
    ),
    click.option(
        "--keylog",
        metavar="FILE",
        help="Write the TLS secrets for other people's captures (or set TLSLAB_SSLKEYLOGFILE or SSLKEYLOGFILE).",
    ),
    click.option(
        "--logs",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Write the logs of Windows: the site's W3C log, HTTPERR, and the events of Schannel and others.",
    ),
)


profile_option = click.option(
    "--profile",
    metavar="PROFILE",
    help="Be another Windows than the scenario's: `tlslab profiles` names them. What the file says of itself stays.",
)


def evidence_options(command: Command) -> Command:
    """Give a command that runs a lab the options of its evidence."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
