"""One message of a component that matters to a diagnosis.

Line numbers change with every release, so a message is known by its source file and how it starts.  Each entry
shows one line in the real form and the version whose text it has; the words were the same in the versions before
and after unless two entries say otherwise.
"""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Signal"]


class Signal(Struct, frozen=True):
    """One message: its code, the file that writes it, how it starts, and a line."""

    code: str
    file: str
    starts: str
    sample: str
    seen: str
