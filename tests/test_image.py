"""The OCI image, built as `make image` builds it, and run: a read-only root, no capability, a network of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.program
ROOT = Path(__file__).parent.parent
BUILD = ROOT / "deploy" / "image" / "build.sh"
USER = 10001
PATIENCE = 60.0
MOST_MEGABYTES = 50
CONTROL = 8474


@pytest.fixture(scope="module")
def layout(require_client: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the image, and give the folder with its layout; where the machine does not allow it, say why."""
    for tool in ("mmdebstrap", "umoci"):
        require_client(tool)
    folder = tmp_path_factory.mktemp("image")
    environment = {**os.environ, "FOLDER": str(folder), "PYTHON": sys.executable}
    done = subprocess.run([BUILD], env=environment, capture_output=True, text=True, check=False)
    if done.returncode and os.environ.get("TLSLAB_REQUIRE_CLIENTS") != "1":
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    [archive] = folder.glob("*.oci.tar")
    assert archive.stat().st_size < MOST_MEGABYTES * 10**6
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "layout", filter="data")
    return folder / "layout"


@dataclass
class Container:
    """The image, running under runc; `pki` is the folder of this machine that is its volume."""

    name: str
    state: Path
    process: subprocess.Popen[str]
    ready: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline() or "{}")

    @property
    def pid(self) -> int:
        """Its process, as this machine numbers it."""
        asked = subprocess.run(["runc", "--root", self.state, "state", self.name], capture_output=True, check=True)
        pid: int = json.loads(asked.stdout)["pid"]
        return pid

    def curl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run this machine's curl in the container's network, on an address that only 0.0.0.0 listens on."""
        network = ["nsenter", f"--net=/proc/{self.pid}/ns/net"]
        command = [*network, "curl", "-sS", "-m", "30", "--noproxy", "*", "--connect-to", "::127.0.0.2:", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def stop(self) -> int:
        """End it as every container engine does."""
        subprocess.run(["runc", "--root", self.state, "kill", self.name, "TERM"], check=True)
        return self.process.wait(PATIENCE)


@dataclass
class Engine:
    """Starts the image, with one folder of this machine for its volume."""

    bundle: Path
    pki: Path
    started: list[Container] = field(default_factory=list)

    def start(self, *words: str) -> Container:
        """Run it with these words behind its entrypoint."""
        config = json.loads((self.bundle / "config.json").read_text())
        entrypoint = config["process"]["args"][:-1]  # the last is the scenario of an image that is told nothing
        config["process"] |= {"terminal": False, "args": [*entrypoint, *words], "capabilities": {}}
        config["root"]["readonly"] = True
        mounts = [one for one in config["mounts"] if one["type"] != "cgroup" and one["destination"] != "/pki"]
        volume = {"destination": "/pki", "type": "bind", "source": str(self.pki), "options": ["bind", "rw"]}
        config["mounts"] = [*mounts, volume]
        name, bundle = f"tlslab-test-{os.getpid()}-{len(self.started)}", self.bundle.parent / f"run-{len(self.started)}"
        bundle.mkdir()
        (bundle / "rootfs").symlink_to(self.bundle / "rootfs")
        config["root"]["path"] = str(self.bundle / "rootfs")
        (bundle / "config.json").write_text(json.dumps(config))
        state = self.bundle.parent / "state"
        run = ["runc", "--root", str(state), "run", "--bundle", str(bundle), name]
        process = subprocess.Popen(run, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.started.append(Container(name, state, process))
        return self.started[-1]

    def outside(self, path: str) -> str:
        """Where this machine finds a file of the volume."""
        return str(self.pki / Path(path).relative_to("/pki"))

    def close(self) -> None:
        """End what a failed test left running."""
        for one in self.started:
            subprocess.run(
                ["runc", "--root", one.state, "delete", "--force", one.name], capture_output=True, check=False
            )
            one.process.communicate()


@pytest.fixture(scope="module")
def bundle(layout: Path, require_client: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image, unpacked for runc."""
    require_client("runc")
    if os.geteuid() != 0:
        pytest.skip("runc with a user of its own needs root")
    [tag] = json.loads((layout / "index.json").read_text())["manifests"]
    name = tag["annotations"]["org.opencontainers.image.ref.name"]
    folder = tmp_path_factory.mktemp("bundle") / "unpacked"
    subprocess.run(["umoci", "unpack", "--image", f"{layout}:{name}", folder], check=True, capture_output=True)
    return folder


@pytest.fixture
def engine(bundle: Path, require_client: Callable[[str], str], tmp_path: Path) -> Iterator[Engine]:
    """What starts containers, with a volume that has nothing in it."""
    for tool in ("curl", "nsenter"):
        require_client(tool)
    pki = tmp_path / "pki"
    pki.mkdir(mode=0o700)
    os.chown(pki, USER, USER)
    engine = Engine(bundle, pki)
    yield engine
    engine.close()


def test_it_freezes_and_is_cured(engine, tmp_path):
    """As who is not root, it says that it is ready, freezes, is cured by a fix, keeps its keys, and ends with 0."""
    body = tmp_path / "1MiB.bin"
    body.write_bytes(bytes(2**20))
    quick = ("large-post-deadlock", "--speed", "24", "--set", "timers.ssl_renegotiation=60s")

    def upload(container: Container) -> subprocess.CompletedProcess[str]:
        alice = container.ready["identities"]["alice"]
        files = [("--cacert", container.ready["ca_file"]), ("--cert", alice["cert_file"]), ("--key", alice["key_file"])]
        words = [word for option, path in files for word in (option, engine.outside(path))]
        words += ["-H", "Expect:", "--data-binary", f"@{body}", "-o", "/dev/null", "-w", "%{http_code}"]
        return container.curl(*words, container.ready["target_url"])

    first = engine.start(*quick)
    status = Path(f"/proc/{first.pid}/status").read_text()
    assert re.findall(r"^(?:Uid|Gid):\s+(\d+)\s", status, re.MULTILINE) == [str(USER)] * 2
    assert re.findall(r"^Cap(?:Prm|Eff|Bnd):\s+0+$", status, re.MULTILINE)
    health = first.curl("--fail", f"http://localhost:{CONTROL}/health")
    assert health.returncode == 0, health.stderr
    assert upload(first).returncode in (55, 56)  # curl: it was reset
    assert first.stop() == 0
    authority = Path(engine.outside(first.ready["ca_file"])).read_bytes()

    second = engine.start(*quick, "--fix", "negotiate-on-binding")
    done = upload(second)
    assert (done.returncode, done.stdout) == (0, "200"), done.stderr
    assert second.stop() == 0
    assert Path(engine.outside(second.ready["ca_file"])).read_bytes() == authority


def test_a_machine_without_the_tools(tmp_path):
    """It says what is missing and how to get it, and its exit code is that of a test that was skipped."""
    (tmp_path / "dirname").symlink_to(shutil.which("dirname") or "dirname")
    done = subprocess.run(["/bin/sh", BUILD], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (77, "")
    said = "No image was built: mmdebstrap is not installed (Debian: apt-get install mmdebstrap umoci).\n"
    assert done.stderr == said


def test_what_is_in_it(layout):
    """One program, Python; nobody else's rights, nothing of the machine that built it, and no tool that built it."""
    blobs = sorted((layout / "blobs" / "sha256").iterdir(), key=lambda file: file.stat().st_size)
    with tarfile.open(blobs[-1]) as layer:
        members = layer.getmembers()
    files = {one.name.removeprefix("./"): one for one in members if one.isfile()}
    programs = {
        name for name, one in files.items() if one.mode & stat.S_IXUSR and re.match(r"(usr/)?(local/)?s?bin/", name)
    }
    assert programs == {"usr/bin/python3.11", "usr/local/bin/tlslab"}
    assert not [one.name for one in members if one.mode & (stat.S_ISUID | stat.S_ISGID) or one.isdev()]
    assert [one.name for one in members if one.mode & stat.S_IWOTH and not one.issym()] == ["./tmp"]
    assert not [name for name in files if re.search(r"hatchling|/pip/|resolv\.conf|sources\.list|/tmp/.", name)]
    assert any(name.endswith("dist-packages/tlslab/_scenarios/large-post-deadlock.yaml") for name in files)
    assert any(name.endswith("dist-packages/tlslab/cli/__pycache__/serve.cpython-311.pyc") for name in files)
