"""What the tests of the API share: one that serves, and a client that has its token."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from tlslab.control.labs import Labs
from tlslab.control.service import ControlService

Ask = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the labs' keys away from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLSLAB_HOME", str(tmp_path_factory.getbasetemp() / "lab-home"))
        yield


@pytest.fixture(scope="module")
def service() -> Iterator[ControlService]:
    """The API on loopback, with no lab."""
    service = ControlService(Labs(None, ()), "127.0.0.1", 0, ["lab.test"])
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def ask(service: ControlService, asking: Callable[[ControlService], Ask]) -> Ask:
    """Return a function that asks the API, and gives the status and what the JSON says."""
    return asking(service)


@pytest.fixture(scope="session")
def asking() -> Callable[[ControlService], Ask]:
    """Return what makes such a function for an API."""
    return _asking


def _asking(service: ControlService) -> Ask:
    def request(method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        place = urlsplit(service.url)
        client = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
        sent = {"Authorization": f"Bearer {service.as_json()['token']}", **(headers or {})}
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            client.request(method, path, content, {name: value for name, value in sent.items() if value})
            response = client.getresponse()
            content = response.read()
            is_json = response.headers.get_content_type() == "application/json"
            return response.status, json.loads(content) if is_json else content.decode()
        finally:
            client.close()

    return request
