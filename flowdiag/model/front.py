"""The front door of a room: a package whose names are imported when they are first used.

A command that reads records starts its workers as soon as it knows its inputs.  What is needed after reading, and numpy,
which alone takes a tenth of a second to import, is loaded while the workers read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

__all__ = ["front_door"]


def front_door(package: str, modules: Mapping[str, Sequence[str]]) -> Callable[[str], object]:
    """Make the ``__getattr__`` of a package.

    Args:
        package: its name.
        modules: each module of it, by its name in the package -> the names that the package offers from it.
    """
    homes = {name: f"{package}.{module}" for module, names in modules.items() for name in names}

    def offered(name: str) -> object:
        if name not in homes:
            # A submodule that was not imported yet comes here, too; after this error the import statement looks for
            # it itself.
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    return offered
