"""Which keys a mapping may have at a place of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Tag


def fields_at(model: type[BaseModel], keys: Sequence[str | int]) -> list[str]:
    """List the keys that a mapping may have at `keys` of a model; union members' all, unless their tag is among `keys`.

    A key that leads nowhere but is no tag either is passed over, so that pydantic's error locations can be given.
    """
    places: list[Any] = [model]
    for key in keys:
        members = [member for place in places for member in _members(place)]
        below = [annotation for _, member in members for annotation in _below(member, key)]
        places = below or [member for tag, member in members if tag == key] or places
    models = [member for place in places for _, member in _members(place) if _is_model(member)]
    return list(dict.fromkeys(name for found in models for name in found.model_fields))


def _members(annotation: Any, tag: str | None = None) -> Iterator[tuple[str | None, Any]]:
    """Take annotations and unions apart: (tag in a discriminated union, type)."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        tag = next((item.tag for item in metadata if isinstance(item, Tag)), tag)
        yield from _members(inner, tag)
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        kind = annotation.model_fields.get("kind") if _is_model(annotation) else None
        yield (kind.default if kind else tag), annotation


def _below(member: Any, key: str | int) -> list[Any]:
    if _is_model(member):
        return [member.model_fields[key].annotation] if key in member.model_fields else []
    origin, arguments = get_origin(member), get_args(member)
    if origin is dict or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return [arguments[1]]
    return [arguments[0]] if origin in (list, tuple) and isinstance(key, int) else []


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
