"""YAML into plain data that remembers where everything stood, with no surprise of YAML 1.1.

Only true and false are booleans (on, off, yes and no are text), only decimal integers are numbers (403.7, 12:30 and
2026-01-01 are text), and tags are refused. Aliases are followed, but counted: what they would expand to is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from tlslab.errors import Problem

MAX_NODES = 10_000
MAX_DEPTH = 32

# libyaml gives the same events ten times as fast; every wheel of PyYAML has it, a build from source may not.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})", re.ASCII)
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # YAML 1.1, 5.1
# What YAML lets through, or has an escape for: C0 but tab and line feed, DEL, C1, line ends, what turns a line around.
_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

Position = tuple[int, int]


@dataclass(slots=True)
class Node:
    """A value with its position (line and column count from 1) and, in a mapping, the positions of its keys.

    `size` and `height` count nodes as if every alias had been written out.
    """

    position: Position
    value: str | int | bool | list[Node] | dict[str, Node] | None = None
    keys: dict[str, Position] = field(default_factory=dict)
    size: int = 1
    height: int = 0

    def plain(self) -> Any:
        """The value alone. What an alias repeats is copied."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        return [child.plain() for child in self.value] if isinstance(self.value, list) else self.value

    def child(self, key: str | int) -> Node | None:
        """The value at a key of a mapping or an index of a list; None where there is none."""
        if isinstance(self.value, dict) and isinstance(key, str):
            return self.value.get(key)
        if isinstance(self.value, list) and isinstance(key, int) and 0 <= key < len(self.value):
            return self.value[key]
        return None


class _Stop(Exception):
    """Nothing more can be read after this problem."""


def parse(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """Read one YAML document; the node is None where there is none to speak of, and then there are problems."""
    composer = _Composer(file)
    try:
        unprintable = _UNPRINTABLE.search(text)
        if unprintable:
            line_start = text.rfind("\n", 0, unprintable.start())
            at = (text.count("\n", 0, unprintable.start()) + 1, unprintable.start() - line_start)
            raise composer.stop(at, f"the character {unprintable[0]!a} is not allowed in YAML")
        return composer.document(text), composer.problems
    except _Stop:
        return None, composer.problems
    except yaml.YAMLError as error:
        composer.note(_position(getattr(error, "problem_mark", None)), f"this is not YAML: {_reason(error)}")
        return None, composer.problems


def _position(mark: Any) -> Position:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _reason(error: yaml.YAMLError) -> str:
    parts = (getattr(error, "context", None), getattr(error, "problem", None))
    return ", ".join(part for part in parts if part) or "it cannot be read"


class _Composer:
    """Builds nodes from the parser's events and notes what is wrong on the way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.anchors: dict[str, Node | None] = {}  # None while the anchored value is still being read
        self.size = 0

    def note(self, at: Position, message: str) -> None:
        self.problems.append(Problem(self.file, *at, message))

    def stop(self, at: Position, message: str) -> _Stop:
        self.note(at, message)
        return _Stop()

    def document(self, text: str) -> Node:
        events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        next(events)  # the start of the stream
        if isinstance(next(events), yaml.StreamEndEvent):
            raise self.stop((1, 1), "the file is empty")
        node = self.node(next(events), events, depth=1)
        next(events)  # the end of the document
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self.stop(_position(after.start_mark), "a second document starts here, and a file holds only one")
        return node

    def node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        at = _position(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            return self.counted(self.alias(str(event.anchor), at), depth)
        node = self.counted(Node(at), depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        if event.tag is not None:
            self.note(at, "tags (!...) are not used here: leave it out")
        if isinstance(event, yaml.ScalarEvent):
            node.value = _scalar(event)
            if found := _CONTROL.search(event.value):
                self.note(
                    at, f"the character {found[0]!a} has no place in a text: it would drive a terminal, not be read"
                )
        elif isinstance(event, yaml.SequenceStartEvent):
            self.sequence(node, events, depth)
        else:
            self.mapping(node, events, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def counted(self, node: Node, depth: int) -> Node:
        self.size += node.size
        if self.size > MAX_NODES:
            raise self.stop(node.position, f"too much: more than {MAX_NODES:,} values, aliases (*name) written out")
        if depth + node.height > MAX_DEPTH:
            raise self.stop(node.position, f"nested more than {MAX_DEPTH} deep")
        return node

    def alias(self, anchor: str, at: Position) -> Node:
        node = self.anchors.get(anchor)
        if node is None:
            why = "contains itself" if anchor in self.anchors else "repeats nothing: it has no anchor before it"
            self.note(at, f"the alias *{anchor} {why}")
        return node or Node(at)

    def sequence(self, node: Node, events: Iterator[Any], depth: int) -> None:
        items: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self.node(event, events, depth + 1))
        node.value = items
        _measure(node, items)

    def mapping(self, node: Node, events: Iterator[Any], depth: int) -> None:
        items: dict[str, Node] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            at = _position(event.start_mark)
            key_node = self.node(event, events, depth + 1)
            child = self.node(next(events), events, depth + 1)
            if not isinstance(event, yaml.ScalarEvent):
                self.note(at, "a key must be a word, not a list, a mapping or an alias")
            elif event.value in items:
                line = node.keys[event.value][0]
                self.note(at, f"the key {event.value!a} is here twice; the first is in line {line}")
            else:
                items[event.value], node.keys[event.value] = child, key_node.position
        node.value = items
        _measure(node, list(items.values()))


def _measure(node: Node, children: list[Node]) -> None:
    node.size += sum(child.size for child in children)
    node.height = 1 + max((child.height for child in children), default=0)


def _scalar(event: Any) -> str | int | bool | None:
    text: str = event.value
    if not event.implicit[0]:  # quoted, or a block: text
        return text
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.fullmatch(text) else text
