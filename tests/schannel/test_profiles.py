"""What a version of Windows does by itself, and how that is known."""

from __future__ import annotations

import pytest

from tlslab.schannel.profiles import PROFILES, UNVERIFIED


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_every_default_has_a_source_or_says_that_it_has_none(profile):
    """A value is documented, or called unverified with a word on what is missing."""
    for path, default in profile.defaults.items():
        assert default.source, path
        assert default.is_verified or default.note, path


def test_what_is_unverified():
    """These are shown to nobody as documented."""
    defaults = PROFILES["windows-server-2012-r2"].defaults
    unverified = {path for path, default in defaults.items() if default.source == UNVERIFIED}
    assert unverified == {"bindings.*.protocols", "sites.*.continue_100"}
