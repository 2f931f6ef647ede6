"""The API itself: each request with what it takes and gives, in one table that its schema is made of, too."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any, TypeVar

import trio
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Send

from tlslab.control import models as m
from tlslab.control.answers import Refused, problem
from tlslab.control.guard import Guard
from tlslab.control.labs import Labs, ServedLab
from tlslab.control.stream import BATCH, numbered, stream
from tlslab.errors import LabError
from tlslab.lab.sinks import EVENTS_VERSION
from tlslab.lab.steering import EVENTS_KEPT
from tlslab.lab.summaries import ConnectionAccount
from tlslab.scenario import catalogue
from tlslab.scenario.knobs import knobs_of
from tlslab.scenario.load import load

LARGEST_BODY = 64 * 1024
LONGEST_NUMBER = 18  # digits: Python refuses to read thousands of them
Model = TypeVar("Model", bound=BaseModel)
Answerer = Callable[[Labs, Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request that the API knows: what it takes and what it gives, a list of it if `many`."""

    method: str
    path: str
    handler: Answerer
    gives: type[BaseModel] | None
    takes: type[BaseModel] | None = None
    status: int = 200
    many: bool = False
    query: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What it is for: the first sentence of the handler's docstring."""
        return (self.handler.__doc__ or "").split("\n")[0].rstrip(".")


# --- what is asked of all of it ---------------------------------------------------------------------------


async def _health(labs: Labs, _request: Request) -> Response:
    """Say that it answers, without a token."""
    return JSONResponse({"status": "ok", "labs": len(labs)})


async def _version(_labs: Labs, _request: Request) -> Response:
    """Say which versions of the program and of its events these are."""
    return JSONResponse({"tlslab": version("tlslab"), "events_version": EVENTS_VERSION})


async def _schema(_labs: Labs, _request: Request) -> Response:
    """Describe this API as OpenAPI 3.1."""
    from tlslab.control.schema import openapi

    return JSONResponse(openapi())


async def _scenarios(_labs: Labs, _request: Request) -> Response:
    """List what can be served."""
    found = await trio.to_thread.run_sync(catalogue.listed)
    return JSONResponse([{"name": one.name, "title": one.title} for one in found])


async def _scenario(_labs: Labs, request: Request) -> Response:
    """Show what can be chosen of a scenario: its fixes and knobs."""
    name = request.path_params["name"]
    if name not in catalogue.names():
        raise Refused(404, f"there is no scenario {name}", "GET /scenarios lists them")
    scenario = (await trio.to_thread.run_sync(load, name)).scenario
    fixes = [
        {"name": key, **fix.model_dump(mode="json", include={"title", "changes", "recommended", "deterministic"})}
        for key, fix in scenario.fixes.items()
    ]
    knobs = [{"path": one.path, "value": one.value, "windows": one.windows_name} for one in knobs_of(scenario)]
    said = {"name": name, "title": scenario.title, "story": scenario.story, "fixes": fixes, "knobs": knobs}
    return JSONResponse(said | {"suggested_speed": scenario.suggested_speed})


async def _reset(labs: Labs, _request: Request) -> Response:
    """Put every lab's fixes and knobs back as it was started."""
    return JSONResponse([await _changed(lab, lab.steering.reset) for lab in labs])


# --- labs -------------------------------------------------------------------------------------------------


async def _labs(labs: Labs, _request: Request) -> Response:
    """List the labs that run."""
    return JSONResponse([lab.as_json() for lab in labs])


async def _start(labs: Labs, request: Request) -> Response:
    """Start a lab."""
    lab = await labs.start(await _body(request, m.LabWanted))
    return JSONResponse(lab.as_json(), 201, {"Location": f"/labs/{lab.id}"})


async def _lab(labs: Labs, request: Request) -> Response:
    """Show a lab."""
    return JSONResponse((await _settled(labs, request)).as_json())


async def _change(labs: Labs, request: Request) -> Response:
    """Change fixes and knobs while the lab runs."""
    lab, wanted = _of(labs, request), await _body(request, m.LabChange)
    return JSONResponse(await _changed(lab, partial(lab.steering.change, wanted.fixes, wanted.set)))


async def _changed(lab: ServedLab, change: Callable[[], int]) -> dict[str, Any]:
    try:
        first = await trio.to_thread.run_sync(change)
    except LabError as error:
        raise Refused.by(error, 409 if "listens" in str(error) else 422) from None
    return {"from_connection": first, "fixes": list(lab.steering.fixes), "set": lab.steering.settings}


async def _end(labs: Labs, request: Request) -> Response:
    """End a lab with all its connections."""
    await labs.end(request.path_params["id"])
    return Response(status_code=204)


# --- what happens in one ----------------------------------------------------------------------------------


async def _connections(labs: Labs, request: Request) -> Response:
    """List the connections of a lab, the latest last."""
    found = (await _settled(labs, request)).chronicle.connections()
    last = _number(request, "last", len(found))
    return JSONResponse([_said(one) for one in found[max(0, len(found) - last) :]])


async def _connection(labs: Labs, request: Request) -> Response:
    """Show a connection."""
    return JSONResponse(_said(_connection_of(await _settled(labs, request), request)))


async def _end_connection(labs: Labs, request: Request) -> Response:
    """Let the timer that runs on a connection run out now."""
    lab = await _settled(labs, request)
    number = _connection_of(lab, request).number
    if not await trio.to_thread.run_sync(lab.steering.end_connection, number):
        raise Refused(409, f"connection {number} is over", "GET it to see how it ended")
    return Response(status_code=204)


class _Streamed(StreamingResponse):
    """One whose source is closed when its reader goes, also where Hypercorn cannot tell it so."""

    def __init__(self, source: AsyncGenerator[str, None], headers: dict[str, str]) -> None:
        self._source = source
        super().__init__(source, media_type="text/event-stream", headers=headers)

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._source):
            await super().stream_response(send)


async def _events(labs: Labs, request: Request) -> Response:
    """Read the events of a lab: those that are kept, or as they come."""
    lab = await _settled(labs, request)
    after = _number(request, "after", 0)
    if "text/event-stream" in request.headers.get("accept", ""):
        last = request.headers.get("last-event-id", "")
        after = int(last) if last.isdecimal() and len(last) < LONGEST_NUMBER else after
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return _Streamed(stream(lab, after), headers)
    limit = min(_number(request, "limit", BATCH), EVENTS_KEPT)
    return PlainTextResponse(numbered(*lab.chronicle.events(after, limit)), media_type="application/x-ndjson")


CALLS = (
    ApiCall("GET", "/health", _health, m.Health),
    ApiCall("GET", "/version", _version, m.Version),
    ApiCall("GET", "/schema", _schema, None),
    ApiCall("GET", "/scenarios", _scenarios, m.ScenarioListed, many=True),
    ApiCall("GET", "/scenarios/{name}", _scenario, m.ScenarioSaid),
    ApiCall("POST", "/reset", _reset, m.Changed, many=True),
    ApiCall("GET", "/labs", _labs, m.LabSaid, many=True),
    ApiCall("POST", "/labs", _start, m.LabSaid, m.LabWanted, 201),
    ApiCall("GET", "/labs/{id}", _lab, m.LabSaid),
    ApiCall("PATCH", "/labs/{id}", _change, m.Changed, m.LabChange),
    ApiCall("DELETE", "/labs/{id}", _end, None, status=204),
    ApiCall("GET", "/labs/{id}/connections", _connections, m.ConnectionSaid, many=True, query=("last",)),
    ApiCall("GET", "/labs/{id}/connections/{number:int}", _connection, m.ConnectionSaid),
    ApiCall("DELETE", "/labs/{id}/connections/{number:int}", _end_connection, None, status=204),
    ApiCall("GET", "/labs/{id}/events", _events, None, query=("after", "limit")),
)


def make_app(labs: Labs, token: str, names: Iterable[str]) -> Starlette:
    """Make the application. `names` are those, beside localhost, by which it may be asked."""
    routes = [Route(call.path, partial(_answer, call.handler, labs), methods=[call.method]) for call in CALLS]
    handlers: dict[Any, Any] = {HTTPException: _not_known, Exception: _fault}
    return Starlette(
        routes=routes, middleware=[Middleware(Guard, token=token, names=names)], exception_handlers=handlers
    )


async def _answer(handler: Answerer, labs: Labs, request: Request) -> Response:
    try:
        return await handler(labs, request)
    except Refused as refused:
        return problem(refused.status, str(refused), refused.hint)


async def _not_known(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    hint = "GET /schema says what there is"
    return problem(
        error.status_code,
        {404: "there is no such path", 405: "not with this method"}.get(error.status_code, error.detail),
        hint,
        error.headers,
    )


async def _fault(_request: Request, error: Exception) -> Response:
    return problem(500, f"a defect of tlslab: {type(error).__name__}", "please report what you sent")


async def _body(request: Request, model: type[Model]) -> Model:
    """The body of a request. Refused: it is too large, no JSON, or not what the model says."""
    content = b""
    async with aclosing(request.stream()) as pieces:
        async for piece in pieces:
            content += piece
            if len(content) > LARGEST_BODY:
                raise Refused(413, f"the body is larger than {LARGEST_BODY:,} bytes", "send less")
    try:
        return model.model_validate_json(content or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            raise Refused(400, "the body is no JSON", first["msg"]) from None
        place = ".".join(map(str, first["loc"])) or "the body"
        known = ", ".join(model.model_fields)
        raise Refused(422, f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}", f"known: {known}") from None


def _of(labs: Labs, request: Request) -> ServedLab:
    return labs.lab(request.path_params["id"])


async def _settled(labs: Labs, request: Request) -> ServedLab:
    """The lab of a request, once it has told all that its clients may know: one that was answered asks what it was."""
    lab = _of(labs, request)
    await trio.to_thread.run_sync(lab.steering.settle)
    return lab


def _connection_of(lab: ServedLab, request: Request) -> ConnectionAccount:
    number = request.path_params["number"]
    for one in lab.chronicle.connections():
        if one.number == number:
            return one
    raise Refused(404, f"{lab.id} keeps no connection {number}", f"GET /labs/{lab.id}/connections lists them")


def _said(one: ConnectionAccount) -> dict[str, Any]:
    said = {field.name: getattr(one, field.name) for field in dataclasses.fields(one) if field.name[0] != "_"}
    plain: dict[str, Any] = json.loads(json.dumps(said | {"body_received": one.body_received}, default=str))
    return plain


def _number(request: Request, name: str, otherwise: int) -> int:
    """A number of the query. Refused: it is none."""
    given = request.query_params.get(name, "")
    if given and not (given.isdecimal() and len(given) < LONGEST_NUMBER):
        raise Refused(422, f"{name}={given[:40]} is no number", f"{name}=10, for example")
    return int(given) if given else otherwise
