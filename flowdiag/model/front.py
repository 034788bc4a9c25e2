"""The front door of a room: what it offers, by name, loaded when somebody asks for it.

A command that reads records starts workers as soon as it knows its inputs; what comes after reading, and numpy, which
alone takes a tenth of a second, is loaded while they are at work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

__all__ = ["front_door"]


def front_door(package: str, modules: Mapping[str, Sequence[str]]) -> Callable[[str], object]:
    """Make the ``__getattr__`` of a package.

    Args:
        package: its name.
        modules: what it offers, by the module of it that holds it.
    """
    homes = {name: f"{package}.{module}" for module, names in modules.items() for name in names}

    def offered(name: str) -> object:
        if name not in homes:
            # Also of modules that were not imported yet, which the import statement then looks for.
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    return offered
