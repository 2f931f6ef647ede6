"""Completion in shells."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tlslab.cli import COMMANDS
from tlslab.cli.completion import answers
from tlslab.cli.completion_scripts import SCRIPTS
from tlslab.scenario import catalogue

ROOT = Path(__file__).parents[2]
FILE = str(catalogue.folder() / "stale-binding.yaml")
LARGE = "large-post-deadlock"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("se", ["serve"]),
        ("serve sta", ["stale-binding"]),
        ("show sta", ["stale-binding"]),
        ("serve --scenario sta", ["stale-binding"]),
        ("serve --scenario=sta", ["--scenario=stale-binding"]),
        ("serve stale-binding --fix ", ["bind-again"]),
        ("serve --port 0 stale-binding --fix ", ["bind-again"]),
        ("serve -s stale-binding --fix b", ["bind-again"]),
        ("serve --scenario=stale-binding --fix=b", ["--fix=bind-again"]),
        (f"serve {FILE} --fix ", ["bind-again"]),
        ("serve nowhere.yaml --fix ", []),
        ("serve nope --set ", []),
        ("serve --fix bind", ["bind-again"]),
        (f"serve {LARGE} --set timers.ssl", ["timers.ssl_renegotiation="]),
        (f"serve {LARGE} --set sites./upload.application_d", ["sites./upload.application_delay="]),
        (f"serve {LARGE} --set bindings.site.ce", ["bindings.site.certificate="]),
        ("serve --set timers.ssl", ["timers.ssl_renegotiation="]),
        ("serve --set bindings.", []),
        ("serve --pcapng-l", ["--pcapng-limit"]),
        ("serve --ah", []),
        ("serve --keylog ", []),
        ("serve --logs x --keyl", ["--keylog"]),
        ("pki ", ["show", "export", "reset"]),
        ("pki export --identity wrong", ["wrong-ca", "wrong-eku"]),
        ("profiles windows-server-2022", ["windows-server-2022"]),
        ("serve --profile windows-server-2022", ["windows-server-2022"]),
        ("show stale-binding --profile windows-server-2022", ["windows-server-2022"]),
        ("completion f", ["fish"]),
        ("validate ", []),
    ],
)
def test_answers(line, found):
    """Commands, options, scenarios, the fixes of the scenario on the line, and its knobs; never what is hidden."""
    assert list(answers(line.split(" "))) == found


def test_every_command_and_scenario():
    """At the beginning every command is offered, and behind serve every scenario."""
    assert set(COMMANDS) < set(answers([""]))
    assert list(answers(["serve", ""])) == catalogue.names()
    assert list(answers([])) == list(answers([""]))


def test_kinds_of_clients():
    """Those of the lab's clients and the programs they stand for; and every identity that one can hold."""
    assert list(answers(["probe", "--client", "no-"])) == ["no-renegotiation", "no-post-handshake-auth"]
    assert {"all", "schannel", "prime", "curl"} < set(answers(["probe", "--client", ""]))
    assert list(answers(["probe", "--holds", "wrong"])) == ["wrong-ca", "wrong-eku"]
    assert list(answers(["probe", "--scenario", "stale-binding", "--fix", ""])) == ["bind-again"]


def test_the_table_is_current():
    """The options that shells are told of are those of the commands: `make docs` writes the table."""
    made = runpy.run_path(str(ROOT / "docs" / "completions.py"))
    assert made["table"]() == (ROOT / "tlslab" / "cli" / "option_table.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("shell", SCRIPTS)
def test_script(run, shell):
    """Each shell has its script, which asks the command for that shell; another shell is a line."""
    result = run("completion", shell)
    assert (result.exit_code, result.output) == (0, SCRIPTS[shell])
    assert f"completion {shell} " in result.output
    assert run("completion", "tcsh").exit_code == 2


@pytest.mark.parametrize("empty", ["", '""', "''"])
def test_asked_by_a_script(run, empty):
    """The command answers in lines, whatever stands on the line; an empty word can come in quotes."""
    result = run("completion", "powershell", "--", "tlslab", "pki", empty)
    assert (result.exit_code, result.output.split()) == (0, ["export", "reset", "show"])
    assert run("completion", "bash", "--", "tlslab", "serve", "--nope", "--verb").output == "--verbose\n"


@pytest.mark.program
@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("tlslab serve sta", "stale-binding"),
        ("tlslab serve stale-binding --fix ", "bind-again"),
        ("tlslab serve --scenario=stale-binding --fix=b", "bind-again"),
        (f"tlslab serve {LARGE} --set timers.ssl", "compopt -o nospace timers.ssl_renegotiation="),
        ("tlslab trace ", ""),
    ],
)
def test_bash(require_client, tmp_path, line, reply):
    """Bash itself, with the script: what it would put on the line, and that no space follows a knob."""
    (tmp_path / "tlslab").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tlslab "$@"\n')
    (tmp_path / "tlslab").chmod(0o755)
    script = """
source <(tlslab completion bash); complete -p tlslab >&2
compopt() { echo "compopt $*"; }
COMP_LINE="$1" COMP_POINT=${#1}; _tlslab; echo "${COMPREPLY[@]}"
"""
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    command = [require_client("bash"), "--norc", "-c", script, "bash", line]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert " ".join(result.stdout.split()) == reply, result.stderr
