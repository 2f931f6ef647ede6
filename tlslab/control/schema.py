"""The API described as OpenAPI 3.1, made of the table of its ways and of their models."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from tlslab.control import models as m
from tlslab.control.app import WAYS, Way
from tlslab.control.guard import OPEN_PATHS

REFERENCE = "#/components/schemas/{model}"
PROBLEMS = {
    401: "The token is missing or wrong",
    403: "A foreign Host or Origin",
    404: "No such thing",
    422: "No sense",
}


def openapi() -> dict[str, Any]:
    """Describe it."""
    models = {model for way in WAYS for model in (way.takes, way.gives) if model is not None} | {m.Problem}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schemas = models_json_schema([(model, "validation") for model in ordered], ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for way in WAYS:
        paths.setdefault(_path(way), {})[way.method.lower()] = _operation(way)
    return {
        "openapi": "3.1.0",
        "info": {"title": "tlslab control API", "version": version("tlslab")},
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _path(way: Way) -> str:
    return re.sub(r":\w+\}", "}", way.path)


def _operation(way: Way) -> dict[str, Any]:
    answers: dict[str, Any] = {str(way.status): {"description": way.summary, **_content(way)}}
    for status, said in PROBLEMS.items():
        answers[str(status)] = {"description": said, "content": _json({"$ref": _reference(m.Problem)})}
    operation: dict[str, Any] = {"summary": way.summary, "parameters": list(_parameters(way)), "responses": answers}
    if way.takes is not None:
        operation["requestBody"] = {"required": True, "content": _json({"$ref": _reference(way.takes)})}
    return operation | ({"security": []} if way.path in OPEN_PATHS else {})


def _content(way: Way) -> dict[str, Any]:
    if way.path.endswith("/events"):
        return {"content": {"application/x-ndjson": {}, "text/event-stream": {}}}
    if way.gives is None:
        return {} if way.status == 204 else {"content": _json({"type": "object"})}
    one = {"$ref": _reference(way.gives)}
    return {"content": _json({"type": "array", "items": one} if way.many else one)}


def _parameters(way: Way) -> Iterable[dict[str, Any]]:
    for name, kind in re.findall(r"\{(\w+)(?::(\w+))?\}", way.path):
        schema = {"type": "integer" if kind == "int" else "string"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    for name in way.query:
        yield {"name": name, "in": "query", "schema": {"type": "integer", "minimum": 0}}


def _reference(model: type[BaseModel]) -> str:
    return REFERENCE.format(model=model.__name__)


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
