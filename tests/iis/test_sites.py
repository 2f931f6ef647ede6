"""Which path's settings hold for a request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlslab.iis.sites import match_path

PATHS = ["/upload", "/upload/big", "/up.load", "/dir/"]


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/upload", "/upload"),
        ("/upload/", "/upload"),
        ("/upload/a/b", "/upload"),
        ("/upload?x=/dir/", "/upload"),
        ("/upload/big/x", "/upload/big"),
        ("/upload/bigger", "/upload"),
        ("/%75pload", "/upload"),
        ("/dir/x", "/dir/"),
        ("https://localhost:8443/upload?x", "/upload"),
        ("http://localhost/upload", "/upload"),
        ("/uploads", None),
        ("/upXload", None),
        ("/", None),
        ("", None),
        ("*", None),
        ("//upload", None),
        ("https://localhost", None),
        ("https://[broken/upload", "/upload"),
    ],
)
def test_the_longest_path_a_target_lies_in(target, path):
    """Settings of a path hold for what is below it, not for names that merely begin alike."""
    assert match_path(target, PATHS) == path


@pytest.mark.parametrize("target", ["/", "/anything/below", "", "https://localhost"])
def test_the_root_holds_for_everything(target):
    """A site on `/` is every path that no other one has."""
    assert match_path(target, ["/"]) == "/"


@given(st.text())
def test_any_target_is_matched_or_not(target):
    """A target is a peer's text: brackets, percent signs and all."""
    assert match_path(target, PATHS) in (None, *PATHS)
