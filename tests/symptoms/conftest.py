"""What the tests of symptoms share: the catalogue's symptoms, read once."""

from __future__ import annotations

import pytest

from tlslab.scenario import catalogue
from tlslab.symptoms.ranking import Index


@pytest.fixture(scope="session")
def index() -> Index:
    """The symptoms of the shipped scenarios."""
    return Index({one.name: one.texts for one in catalogue.listed()})
