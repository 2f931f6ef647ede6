"""Has Chromium take requests one after another, and prints how each ended; uploads go by the button of the lab's page.

Arguments: the authority to trust, and requests written NAME,METHOD,BYTES,IDENTITY,URL, the identity without .pem.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

POLICIES = Path("/etc/chromium/policies/managed")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync "
    "--disable-component-update --disable-dev-shm-usage --user-agent=chromium --remote-debugging-pipe"
)
# Click the page's button, and collect what its output says until the button can be clicked again and a while longer.
CLICK = """new Promise(done => {
  const said = [];
  new MutationObserver(() => {
    said.push(out.value);
    if (said.length > 1) setTimeout(() => done(said), 500);
  }).observe(out, {childList: true, characterData: true, subtree: true});
  go.click();
})"""


class Chromium:
    """A browser without a window, driven through two pipes: each message is JSON and ends with a NUL."""

    def __init__(self, home: Path) -> None:
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        words = ["chromium", *FLAGS.split(), f"--user-data-dir={home / 'profile'}", "about:blank"]
        shell = ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "bash", *words]  # dash: one digit
        environment = {**os.environ, "HOME": str(home)}
        self._process = subprocess.Popen(
            shell, pass_fds=(to_read, to_write), env=environment, stderr=subprocess.DEVNULL
        )
        os.close(to_read)
        os.close(to_write)
        self._heard, self._count = b"", 0
        self._session: dict[str, str] = {}

    def attach(self) -> None:
        """Take its first page."""
        pages = [one for one in self._call("Target.getTargets")["targetInfos"] if one["type"] == "page"]
        attached = self._call("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        self._call("Page.enable")

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters, **self._session}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._count:
            pass
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._heard:
            data = os.read(self._read, 65536)
            assert data, "Chromium has ended"
            self._heard += data
        one, _, self._heard = self._heard.partition(b"\0")
        message: dict[str, Any] = json.loads(one)
        return message

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is there."""
        self._call("Page.navigate", url=url)
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def run(self, script: str) -> Any:
        """The value of a script, once it has one."""
        done = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return done["result"].get("value")

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()
        os.close(self._read)
        os.close(self._write)


def home_of(folder: Path, authority: str, identity: str) -> Path:
    """A home whose certificates Chromium finds: the lab's authority, and one identity."""
    store = folder / Path(identity).name / ".pki" / "nssdb"
    store.mkdir(parents=True)
    for words in (
        ["certutil", "-d", f"sql:{store}", "-N", "--empty-password"],
        ["certutil", "-d", f"sql:{store}", "-A", "-t", "C,,", "-n", "lab", "-i", authority],
        ["pk12util", "-d", f"sql:{store}", "-i", f"{identity}.p12", "-W", "tlslab", "-K", ""],
    ):
        subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
    return store.parents[1]


def take(browser: Chromium, size: int, url: str) -> str:
    """Take one request, and say what can be read of its end."""
    if size:
        parts = urlsplit(url)
        browser.open(f"{parts.scheme}://{parts.netloc}/")
        return " | ".join(browser.run(CLICK))
    browser.open(url)
    title = str(browser.run("document.title"))
    status = re.search(r"\d{3}(?:\.\d+)?", title)
    return status[0] if status else title


def main(authority: str, *words: str) -> None:
    """Take the requests, with a browser for each identity and a policy that chooses it: nobody is there to click."""
    requests = [word.split(",") for word in words]
    POLICIES.mkdir(parents=True, exist_ok=True)
    policy = POLICIES / f"tlslab-test-{os.getpid()}.json"
    everything = json.dumps({"pattern": "https://localhost", "filter": {}})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            policy.write_text(json.dumps({"AutoSelectCertificateForUrls": [everything]}))
            for identity in dict.fromkeys(request[3] for request in requests):
                browser = Chromium(home_of(Path(folder), authority, identity))
                try:
                    browser.attach()
                    for name, _, size, its, url in requests:
                        if its == identity:
                            sys.stdout.write(f"chromium\t{name}\t{take(browser, int(size), url)}\n")
                finally:
                    browser.close()
        finally:
            policy.unlink(missing_ok=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
