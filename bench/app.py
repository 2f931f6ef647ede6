"""What Hypercorn and uvicorn serve: one JSON body, as long as the lab's.

`python bench/app.py PORT CERT KEY` is Hypercorn. It imports nothing of tlslab: it runs in the environment of the peers.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
LENGTH = int(os.environ.get("BODY_BYTES", "300"))
BODY = json.dumps({"status": "200", "path": "/open", "padding": ""}).encode()
BODY = BODY[:-2] + b"x" * (LENGTH - len(BODY)) + BODY[-2:]
HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(LENGTH).encode()),
    (b"cache-control", b"no-store"),
]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer every request with 200."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


def hypercorn(port: str, cert: str, key: str) -> None:
    """Run Hypercorn's trio worker in this process."""
    import trio
    from hypercorn.config import Config
    from hypercorn.trio import serve

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.certfile, config.keyfile = cert, key
    config.keep_alive_max_requests = 1_000_000  # it would close the connection after 1,000
    peer: Any = app  # Hypercorn names the types of ASGI more closely
    trio.run(serve, peer, config)


if __name__ == "__main__":
    hypercorn(*sys.argv[1:])
