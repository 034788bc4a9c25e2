"""What could not be read, as values: a bad file never stops the others."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["InputProblem"]


class InputProblem(Struct, frozen=True, order=True):
    """One thing that is wrong with one input.

    Codes: ``missing``, ``unreadable``, ``empty``, ``binary``, ``corrupt``, ``truncated``,
    ``path-escape``, ``link-escape``, ``device``, ``archive-limit``, ``needs-zstandard``,
    ``line-too-long``, ``document-too-large``, ``unknown-format``, ``ambiguous-format``,
    ``clocks-apart``, ``no-permission``, ``mostly-unreadable``, ``nothing-read``, ``not-that-format``, ``worker-failed``, ``broken-plugin``,
    ``own-report``, ``no-objects``, ``shrunk``.
    """

    path: str
    """Display name of the input, as `Source.name`."""
    code: str
    message: str
    line: int | None = None
