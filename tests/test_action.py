"""The GitHub action: its steps run as a runner would run them, and GitHub's own schemas hold what is said to it."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import pytest
import yaml

pytestmark = pytest.mark.program
ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]  # what `shell: bash` is
STEP_SECONDS = 300


@dataclass
class Job:
    """A job on a runner of this machine: its folders, and the files through which steps speak to the runner."""

    folder: Path
    log: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)

    def use(self, **given: str) -> int:
        """Use the action with these inputs, and return the exit code of the step that failed, or of the last."""
        inputs = {name: given.get(name, one.get("default", "")) for name, one in ACTION["inputs"].items()}
        steps: dict[str, dict[str, str]] = {}
        for step in ACTION["runs"]["steps"]:
            env = {name: _filled_in(value, inputs=inputs) for name, value in step["env"].items()}
            code, said = self._run(step["run"], env)
            steps[step.get("id", "")] = said
            if code:
                return code
        self.outputs = {
            name: _filled_in(one["value"], **{f"steps.{key}.outputs": said for key, said in steps.items() if key})
            for name, one in ACTION["outputs"].items()
        }
        return 0

    def _run(self, script: str, env: Mapping[str, str]) -> tuple[int, dict[str, str]]:
        files = {name: self.folder / name for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH")}
        for file in files.values():
            file.write_text("")
        done = subprocess.run(
            [*BASH, script],
            env={
                **{name: os.environ[name] for name in os.environ if not name.startswith(("TLSLAB_", "PYTHON"))},
                **{name: str(file) for name, file in files.items()},
                "GITHUB_ACTION_PATH": str(ROOT),
                "RUNNER_TEMP": str(self.folder),
                **env,
            },
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,  # which ends when nobody holds the pipes: no lab may
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )
        self.log += done.stdout + done.stderr
        self.variables |= _settings(files["GITHUB_ENV"])
        self.path += files["GITHUB_PATH"].read_text().split()
        return done.returncode, _settings(files["GITHUB_OUTPUT"])

    def end(self) -> None:
        """End the lab, if there is one."""
        if "TLSLAB_PID" in self.variables:
            os.kill(int(self.variables["TLSLAB_PID"]), signal.SIGTERM)


def _filled_in(text: str, **contexts: Mapping[str, str]) -> str:
    """Put values in the place of `${{ inputs.NAME }}` and `${{ steps.ID.outputs.NAME }}`."""
    return re.sub(r"\$\{\{ (\S+)\.([a-z0-9-]+) \}\}", lambda found: contexts[found[1]][found[2]], text)


def _settings(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


@pytest.fixture(scope="module")
def installed_here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runner's temporary folder in which the action is installed already: as this checkout, which costs nothing."""
    folder = tmp_path_factory.mktemp("runner")
    command = folder / "tlslab" / "venv" / "bin" / "tlslab"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tlslab "$@"\n')
    command.chmod(0o755)
    (command.parent / "python").symlink_to(sys.executable)
    return folder


@pytest.fixture
def job(installed_here: Path) -> Iterator[Job]:
    """A job."""
    job = Job(installed_here)
    yield job
    job.end()


def upload(job: Job) -> int:
    """POST a MiB with what the job's variables name, and give the status."""
    context = ssl.create_default_context(cafile=job.variables["TLSLAB_CA_FILE"])
    context.load_cert_chain(job.variables["TLSLAB_CERT_FILE"], job.variables["TLSLAB_KEY_FILE"])
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context))
    with opener.open(Request(job.variables["TLSLAB_URL"], bytes(2**20), method="POST"), timeout=30) as answer:
        status: int = answer.status
        return status


def test_the_next_steps_have_a_lab(job):
    """It freezes; it is asked and told to change through what it handed on; its evidence is there while it runs."""
    assert job.use(scenario="large-post-deadlock", set="timers.ssl_renegotiation=48s\n") == 0, job.log
    token, control = job.variables["TLSLAB_CONTROL_TOKEN"], job.variables["TLSLAB_CONTROL_URL"]
    assert job.log.partition(token)[0].endswith("::add-mask::")  # GitHub hides it in what comes after
    with pytest.raises(OSError, match=r"reset|closed|EOF|response"):
        upload(job)

    def ask(method: str, path: str, body: bytes | None = None) -> Any:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        opener = build_opener(ProxyHandler({}))
        with opener.open(Request(control + path, body, headers, method=method), timeout=30) as answer:
            return json.loads(answer.read())

    assert json.loads(Path(job.outputs["ready-file"]).read_text())["speed"] == 24  # as the scenario suggests
    (frozen,) = ask("GET", "/labs/large-post-deadlock/connections")
    assert frozen["deadlocked"] is True
    ask("PATCH", "/labs/large-post-deadlock", b'{"fixes": ["negotiate-on-binding"]}')
    assert upload(job) == 200
    evidence = Path(job.outputs["evidence"])
    assert '"event": "EntityBodyStalled"' in (evidence / "events.jsonl").read_text()
    assert (evidence / "capture.pcapng").stat().st_size > 2**16
    assert token not in "".join(file.read_text(errors="replace") for file in evidence.rglob("*") if file.is_file())


def test_outputs_and_variables_are_the_same(job):
    """Each output is a variable of the job; a fix and a port are handed to the lab."""
    assert job.use(scenario="large-post-deadlock", fix="negotiate-on-binding", port="0", speed="1") == 0, job.log
    named = {f"TLSLAB_{name.upper().replace('-', '_')}": value for name, value in job.outputs.items()}
    assert named == job.variables
    ready = json.loads(Path(job.outputs["ready-file"]).read_text())
    assert (ready["fixes"], ready["speed"]) == (["negotiate-on-binding"], 1)
    assert upload(job) == 200


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scenario": "large-post-deadlok"}, "no scenario 'large-post-deadlok'"),
        ({"scenario": "large-post-deadlock", "fix": "negotiate-on-binding pray"}, "has no fix 'pray'"),
        ({"scenario": "large-post-deadlock", "set": "$(touch injected)=1"}, "$(touch injected)"),
    ],
)
def test_what_cannot_be_served(job, given, said):
    """The step fails, what is wrong stands among the job's errors, and nothing that was given is run."""
    assert job.use(**given) == 1
    assert re.search(rf"^::error title=tlslab::.*{re.escape(said)}", job.log, re.MULTILINE), job.log
    assert job.variables == {}
    assert not (job.folder / "injected").exists()


def test_it_installs_itself(tmp_path):
    """On a runner that has Python alone: the lab's command is on the path, and nothing else that it brought."""
    job = Job(tmp_path)
    python = sys.base_prefix + "/bin/python3"
    try:
        assert job.use(scenario="large-post-deadlock", python=python) == 0, job.log
    finally:
        job.end()
    [folder] = job.path
    assert os.listdir(folder) == ["tlslab"]
    done = subprocess.run([f"{folder}/tlslab", "--version"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "tlslab" in done.stdout


def test_an_old_python(tmp_path):
    """It is named, with what to do."""
    job = Job(tmp_path)
    assert job.use(scenario="large-post-deadlock", python="false") == 1
    assert "::error title=tlslab::It needs Python 3.11 or newer, and 'false' is not" in job.log


def _of_page(name: str) -> str:
    [example] = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / name).read_text(encoding="utf-8"), re.M | re.DOTALL)
    return str(example)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ("github-actions", (ROOT / "action.yml").read_text(encoding="utf-8")),
        ("github-workflows", _of_page("github-action.md")),
        ("compose-spec", _of_page("container.md")),
    ],
    ids=lambda text: text[:16],
)
def test_the_published_schemas_hold_it(schema, text, tmp_path):
    """action.yml, and what pages show of workflows and services, is what their readers take."""
    check = Path(sysconfig.get_path("scripts")) / "check-jsonschema"
    if not check.exists():
        pytest.skip("check-jsonschema is not installed (make .venv/.dev)")

    def checked(text: str) -> int:
        (tmp_path / "it.yaml").write_text(text)
        command = [check, "--builtin-schema", f"vendor.{schema}", tmp_path / "it.yaml"]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert checked(text) == 0
    if schema == "github-actions":  # once is enough to see that it looks
        assert checked(text + "\nnonsense: true\n") == 1


def test_the_workflow_of_the_page_gives_what_the_action_takes():
    """Its inputs, outputs and variables exist."""
    text = _of_page("github-action.md")
    [step] = [one for one in yaml.safe_load(text)["jobs"]["large-uploads"]["steps"] if one.get("id") == "lab"]
    assert step["with"].keys() <= ACTION["inputs"].keys()
    assert set(re.findall(r"steps\.lab\.outputs\.([a-z0-9-]+)", text)) <= ACTION["outputs"].keys()
    known = {f"TLSLAB_{name.upper().replace('-', '_')}" for name in ACTION["outputs"]}
    assert set(re.findall(r"TLSLAB_[A-Z0-9_]+", text)) <= known
