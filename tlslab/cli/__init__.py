"""The command line. Each command is a module of its own, imported when it is called: a start waits for no other."""

from __future__ import annotations

import contextlib
import errno
import gc
import importlib
import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType, ModuleType
from typing import Any, NoReturn

import click

from tlslab.errors import LabError, UsageProblem, hint_of, reason_with_file, shortage_of

# name: (module, the line in `tlslab --help`)
COMMANDS = {
    "list": ("tlslab.cli.listing", "List the failures, or find one by its symptom."),
    "show": ("tlslab.cli.show", "Explain a failure and its documented fixes."),
    "serve": ("tlslab.cli.serve", "Serve a failure until Ctrl-C."),
    "demo": ("tlslab.cli.demo", "Show one failure and its cure, then end."),
    "verify": ("tlslab.cli.verify", "Show that each failure happens, and that each fix cures it."),
    "sweep": ("tlslab.cli.sweep", "Measure how often each fix of an upload survives."),
    "matrix": ("tlslab.cli.matrix", "Run the real clients of this computer through scenarios."),
    "probe": ("tlslab.cli.probe", "Show both sides of a failure, or look at a server of yours."),
    "trace": ("tlslab.cli.trace", "Explain a capture: who said what, and whose turn it was."),
    "profiles": ("tlslab.cli.profiles", "Compare the defaults of Windows versions, with their sources."),
    "pki": ("tlslab.cli.pki", "Show, export or remake the lab's certificates."),
    "validate": ("tlslab.cli.validate", "Check scenario files."),
    "schema": ("tlslab.cli.schema", "Print the JSON Schema of scenario files."),
    "completion": ("tlslab.cli.completion", "Let a shell complete scenarios, fixes and knobs."),
}
FAILURE, USAGE, INTERRUPTED = 1, 2, 130
WIDEST = 4  # digits of a terminal's columns and lines


class Commands(click.Group):
    """Finds a command's module by its name, and ends every command's LabError in a line instead of a traceback."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run what the command line says, and end with its exit code."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, **extra)
        _forget_strange_sizes()
        try:
            with _unwound_by_sigterm():
                code = super().main(args, prog_name, complete_var, False, **extra)
        except click.ClickException as error:
            _show(error)
            sys.exit(error.exit_code)
        except click.Abort:
            sys.exit(INTERRUPTED)
        except Exception:
            _show_defect()
            sys.exit(FAILURE)
        sys.exit(code if isinstance(code, int) else 0)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = _import(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_module, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed, or say which one was probably meant."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from tlslab.scenario.names import suggestion

            raise click.UsageError(f"there is no command {args[0]!r}; {suggestion(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; what a person can mend becomes one clear line, and everything an exit code."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            raise _without_hidden(error) from None
        except LabError as error:
            _complain(error)
            ctx.exit(USAGE if isinstance(error, UsageProblem) else FAILURE)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            raise  # click knows what to do: `tlslab list --json | head`
        except (OSError, ImportError) as error:  # standard output on a full disk, say, or no descriptor to import with
            if (shortage := shortage_of(error)) is None:
                raise
            from tlslab.cli.console import console

            console().fall_silent()
            is_output = shortage.filename is None and shortage.errno in (errno.ENOSPC, errno.EFBIG, errno.EIO)
            failed = "cannot write to standard output" if is_output else "cannot go on"
            _complain(LabError(f"{failed}: {reason_with_file(shortage)}", hint_of(shortage)))
            ctx.exit(FAILURE)


def _import(name: str) -> ModuleType:
    """Import a module for good.

    What is made meanwhile stays to the end, so the collector looks for garbage in it neither now nor when Python ends:
    a fifth of what a short command costs.
    """
    if name in sys.modules:
        return sys.modules[name]
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def _without_hidden(error: click.NoSuchOption) -> click.UsageError:
    """Say which option was probably meant; click would also name those that are not for people."""
    from tlslab.scenario.names import nearest

    shown = error.ctx.command.get_params(error.ctx) if error.ctx else []
    options = [name for one in shown if not getattr(one, "hidden", False) for name in one.opts if name[:2] == "--"]
    near = nearest(error.option_name, options)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return click.UsageError(f"there is no option {error.option_name!r}{meant}", error.ctx)


def _complain(error: LabError) -> None:
    from tlslab.cli.console import complain

    complain(error)


def _show(error: click.ClickException) -> None:
    """Print what click would, through the console: it repeats what was typed, whatever that is."""
    from tlslab.cli.console import console

    text = io.StringIO()
    error.show(text)
    console(stderr=True).print(text.getvalue(), end="")


def _show_defect() -> None:
    """Print what Python would of an exception that nobody expected, through the console: it may quote anybody."""
    import traceback

    from tlslab.cli.console import console

    console(stderr=True).print(
        f"{traceback.format_exc()}This is a defect of tlslab; please report it with these lines."
    )


def _forget_strange_sizes() -> None:
    """No terminal has them, and rich takes them as they are: `²` for a number, and a line of 4 GB for a rule."""
    for name in ("COLUMNS", "LINES"):
        value = os.environ.get(name, "1")
        if not (value.isascii() and value.isdigit() and len(value) <= WIDEST and int(value)):
            del os.environ[name]


@contextlib.contextmanager
def _unwound_by_sigterm() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does, so that what it was about to make is cleared away; `serve` has its own."""

    def end(*_: int | FrameType | None) -> NoReturn:
        sys.exit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from tlslab.lab.release import release

    click.echo(release())
    ctx.exit()


EPILOG = """\b
Start here:
  tlslab demo                                   one failure and its cure
  tlslab list --symptom "curl 56"               which failure looks like this?
  tlslab show large-post-deadlock               what it is, and every fix
  tlslab serve large-post-deadlock              be that server

Exit codes: 0 done, 1 it failed, 2 the command was not understood, 130 ended with Ctrl-C.
"""


@click.command(
    cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def main() -> None:
    """A TLS server that fails on demand the way IIS, http.sys and Schannel are documented to fail.

    It runs on this machine, listens on this machine only, and needs no Windows. Real clients (curl, a browser, your
    own program) connect to it, run into the documented failure, and see it cured by a documented fix.
    """
