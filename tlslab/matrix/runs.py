"""Takes the trials of scenarios with real clients, each against a lab of its own, and notes both sides."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from tlslab.lab.options import Options
from tlslab.lab.steering import Chronicle
from tlslab.lab.summaries import ConnectionAccount
from tlslab.lab.threaded import ThreadedLab
from tlslab.matrix.asks import Wanted, asks_of, chosen, promised, why_not
from tlslab.matrix.driver import ClientSaid, Process, RealClient, body_file, by_text, run
from tlslab.scenario.load import LoadedScenario, load
from tlslab.verify.trials import Trial

FREEZE_SPEED = 24.0  # two minutes are five seconds, more than any client needs between two packets


@dataclass(frozen=True, slots=True)
class Played:
    """A trial as a client took it: what it says, what the lab saw, and how often the last request came."""

    client: str
    scenario: str
    trial: str
    said: ClientSaid
    seen: str
    attempts: int
    promised: Sequence[str]

    @property
    def is_as_promised(self) -> bool:
        """Whether the lab saw what the file promises of its own client, in one style or the other."""
        return self.seen in self.promised


@dataclass(frozen=True, slots=True)
class Skipped:
    """A trial that a client does not take, and why."""

    client: str
    scenario: str
    trial: str
    why: str


OfClient = Played | Skipped


def play_all(
    drivers: Sequence[RealClient],
    names: Sequence[str],
    *,
    every_fix: bool,
    speed: float | None,
    workers: int,
    told: Callable[[OfClient], None],
) -> list[OfClient]:
    """Take them all, side by side in threads; results come in the order of scenarios, trials and clients.

    LabError: a scenario cannot be used.
    """
    loaded = [load(name) for name in names]
    jobs = [
        (driver, one, trial)
        for one in loaded
        for trial in chosen(one.scenario, every_fix=every_fix)
        for driver in drivers
    ]

    def take(given: tuple[RealClient, LoadedScenario, Trial]) -> OfClient:
        result = play(*given, speed)
        told(result)
        return result

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(take, jobs))


def play(driver: RealClient, loaded: LoadedScenario, trial: Trial, speed: float | None) -> OfClient:
    """Have a client take a trial."""
    name = driver.name, loaded.name, trial.name
    if why := why_not(trial):
        return Skipped(*name, why)
    rate = speed or (FREEZE_SPEED if _freezes(trial) else 1.0)
    chronicles: list[Chronicle] = []
    options = Options(loaded.file, trial.fixes, speed=rate, port=0)
    lab = ThreadedLab(options, lambda bus: chronicles.append(Chronicle(bus)))
    with TemporaryDirectory(prefix="tlslab-matrix-") as folder:
        try:
            lab.start()
            urls: dict[str | None, str] = {one.binding.name: one.url for one in lab.running.served}
            urls[None] = lab.running.served[0].url
            asks = asks_of(trial, urls, lab.running.pki.identities)
            if why := driver.cannot(asks) or _unknown_name(asks, driver):
                return Skipped(*name, why)
            done = run(driver.command(asks, str(lab.running.pki.ca_file), Path(folder)))
        finally:
            lab.stop()
    said, accounts = driver.reads(done), chronicles[0].connections()
    return Played(*name, said, _seen(accounts), _attempts(accounts, asks[-1]), promised(trial))


def _unknown_name(asks: Sequence[Wanted], driver: RealClient) -> str:
    """Why a client cannot find the lab: by a name that only the lab knows."""
    for one in asks:
        host = str(urlsplit(one.url).hostname)
        if driver.knows_localhost and host.endswith(".localhost"):
            continue
        try:
            socket.getaddrinfo(host, None)
        except OSError:
            return f"{host} is not in DNS here"
    return ""


def _freezes(trial: Trial) -> bool:
    return any(step.body for step in trial.client)


def _seen(accounts: Sequence[ConnectionAccount]) -> str:
    """How the lab saw the last connection with a request, or with anything, end: a status, or its way."""
    asked = [one for one in accounts if one.requests] or list(accounts)
    if not asked:
        return "never connected"
    last = asked[-1]
    if len(last.statuses) >= len(last.requests) and last.statuses:
        return last.statuses[-1]
    if last.failed_in_tls and not last.requests:
        return "alert"
    return {"drained": "closed"}.get(str(last.how), str(last.how))


def _attempts(accounts: Sequence[ConnectionAccount], last: Wanted) -> int:
    target = f"{last.method} {last.url.split('/', 3)[3].join(('/', ''))}"
    return sum(one.requests.count(target) for one in accounts)


def own_client(template: str) -> RealClient:
    """Somebody's own client: `./mine {url} {ca} {cert} {key} {p12} {body_file}`, run without a shell."""

    def command(asks: Sequence[Wanted], ca_file: str, folder: Path) -> Process:
        one = asks[-1]
        values = {"url": one.url, "ca": ca_file, "cert": one.cert, "key": one.key, "p12": one.pkcs12}
        values["body_file"] = str(body_file(folder, one.body)) if one.body else ""
        return Process([_filled(word, values) for word in shlex.split(template)])

    def cannot(asks: Sequence[Wanted]) -> str:
        needs_body = any(one.body for one in asks) and "{body_file}" not in template
        return "it was given no {body_file}" if needs_body else "" if len(asks) == 1 else "it sends one request"

    words = shlex.split(template)
    return RealClient(words[0], (words[0],), (words[0], "--version"), command, by_text, cannot)


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def present(drivers: Sequence[RealClient]) -> Iterator[tuple[RealClient, str]]:
    """Each driver, with why it cannot be driven here, or "" and it can."""
    for driver in drivers:
        yield driver, driver.missing()
