"""The API described as OpenAPI 3.1, made of the table of its calls and of their models."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from tlslab.control import models as m
from tlslab.control.app import CALLS, ApiCall
from tlslab.control.guard import OPEN_PATHS
from tlslab.text import json_text

REFERENCE = "#/components/schemas/{model}"
PROBLEMS = {
    401: "The token is missing or wrong",
    403: "A foreign Host or Origin",
    404: "No such thing",
    422: "No sense",
}


def openapi() -> dict[str, Any]:
    """Describe it."""
    models = {model for call in CALLS for model in (call.takes, call.gives) if model is not None} | {m.ProblemSaid}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schemas = models_json_schema([(model, "validation") for model in ordered], ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(_path(call), {})[call.method.lower()] = _operation(call)
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


def _path(call: ApiCall) -> str:
    return re.sub(r":\w+\}", "}", call.path)


def _operation(call: ApiCall) -> dict[str, Any]:
    answers: dict[str, Any] = {str(call.status): {"description": call.summary, **_content(call)}}
    for status, said in PROBLEMS.items():
        answers[str(status)] = {"description": said, "content": _json({"$ref": _reference(m.ProblemSaid)})}
    operation: dict[str, Any] = {"summary": call.summary, "parameters": list(_parameters(call)), "responses": answers}
    if call.takes is not None:
        operation["requestBody"] = {"required": True, "content": _json({"$ref": _reference(call.takes)})}
    return operation | ({"security": []} if call.path in OPEN_PATHS else {})


def _content(call: ApiCall) -> dict[str, Any]:
    if call.path.endswith("/events"):
        return {"content": {"application/x-ndjson": {}, "text/event-stream": {}}}
    if call.gives is None:
        return {} if call.status == 204 else {"content": _json({"type": "object"})}
    one = {"$ref": _reference(call.gives)}
    return {"content": _json({"type": "array", "items": one} if call.many else one)}


def _parameters(call: ApiCall) -> Iterable[dict[str, Any]]:
    for name, kind in re.findall(r"\{(\w+)(?::(\w+))?\}", call.path):
        schema = {"type": "integer" if kind == "int" else "string"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    for name in call.query:
        yield {"name": name, "in": "query", "schema": {"type": "integer", "minimum": 0}}


def _reference(model: type[BaseModel]) -> str:
    return REFERENCE.format(model=model.__name__)


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


if __name__ == "__main__":
    sys.stdout.write(json_text(openapi(), indent=1) + "\n")
