"""Rooms open to whoever asks for what they offer."""

from importlib import import_module
from types import ModuleType

import pytest


@pytest.mark.parametrize("room", ["analysis", "cluster", "ingest", "tally"])
def test_a_room_gives_everything_that_it_offers(room):
    """And not a module of the same name, which is what is there as soon as it is loaded."""
    package = import_module(f"flowdiag.{room}")

    for name in package.__all__:
        assert not isinstance(getattr(package, name), ModuleType)


def test_what_a_room_does_not_offer_is_not_there():
    package = import_module("flowdiag.tally")

    with pytest.raises(AttributeError, match=r"'flowdiag\.tally' has no attribute 'Talley'"):
        package.Talley  # noqa: B018 - that is the question
