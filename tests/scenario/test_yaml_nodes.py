"""YAML into plain data with positions, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlslab.scenario.yaml_nodes import MAX_NODES, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("on", "on"),
        ("no", "no"),
        ("True", "True"),
        ("200", 200),
        ("-3", -3),
        ("403.7", "403.7"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        ("010", "010"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("9" * 5000, "9" * 5000),
        ("~", None),
        ("''", ""),
        ("'200'", "200"),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
        ("<<: {a: 1}", {"<<": {"a": 1}}),
        ("1: one", {"1": "one"}),
        ("[&x [a], *x]", [["a"], ["a"]]),
    ],
)
def test_values(text, value):
    """Numbers are decimal integers, booleans are true and false, and everything else is text."""
    node, problems = parse(text, "f")
    assert not problems
    assert node is not None
    assert (node.plain(), type(node.plain())) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", (1, 1), "the file is empty"),
        ("# nothing", (1, 1), "the file is empty"),
        ("a: 1\n---\nb: 2\n", (2, 1), "second document"),
        ("a: 1\nb: [\n", (3, 1), "not YAML"),
        ("a: 1\n\tb: 2", (2, 1), "not YAML"),
        ("a: 1\nb: \x01", (2, 4), "'\\x01' is not allowed"),
        ("a: 1\nb: 2\na: 3\n", (3, 1), "the key 'a' is here twice; the first is in line 1"),
        ("a: !!python/name:os.system x", (1, 4), "tags"),
        ("? [a]\n: 1", (1, 3), "a key must be a word"),
        ("a: *b", (1, 4), "the alias *b repeats nothing"),
        ("a: &a [*a]", (1, 8), "the alias *a contains itself"),
        ("[" * 33 + "]" * 33, (1, 33), "nested more than 32 deep"),
        ("a: &a [[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]\nb: [[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]", (1, 4), "nested more than"),
        (f"[{'1,' * MAX_NODES}]", (1, 2 * MAX_NODES), "too much"),
    ],
)
def test_refused(text, where, what):
    """Each problem names its place."""
    problems = parse(text, "f")[1]
    assert problems
    assert ((problems[0].line, problems[0].column), what in problems[0].message) == (where, True), problems


def test_a_billion_laughs():
    """What aliases would expand to is counted, not built."""
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    node, problems = parse("\n".join(lines), "f")
    assert node is None
    assert "too much" in problems[-1].message


def test_positions():
    """Values and keys know where they stand, values of an alias where they were written."""
    node, _ = parse("a: &x\n  - b: 1\nc: *x\n", "f")
    assert node is not None
    assert (node.position, node.keys["c"]) == ((1, 1), (3, 1))
    shared = node.child("c")
    assert shared is not None
    item = shared.child(0)
    assert item is not None
    b = item.child("b")
    assert b is not None
    assert (item.keys["b"], b.position) == ((2, 5), (2, 8))
    assert (node.child(0), item.child(1), shared.child(1)) == (None, None, None)


@given(st.text())
def test_any_text(text):
    """Any text gives a node or a problem."""
    node, problems = parse(text, "f")
    assert node is not None or problems
    if node is not None:
        node.plain()


@given(st.text(alphabet="ab:-[]{}&*!|>'\"\n\t #?,%@<~1.", max_size=60))
def test_any_text_of_yaml(text):
    """So does text made of what YAML is made of."""
    node, problems = parse(text, "f")
    assert node is not None or problems
