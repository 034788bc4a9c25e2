"""Looking for bytes that are mostly not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flowdiag.parserkit.native import native

__all__ = ["holds", "lines_holding"]


_LINE_BYTES = 2048
_TEXT_BYTES = range(1 << 13, 1 << 20)
"""Sizes of what many marks are looked for in: heads and windows of files."""
_FEW = 8
"""Marks that cost less one by one than all at once."""
_MOST = 1024


def _searcher() -> Callable[[bytes, bytes], bool]:
    try:
        import ctypes

        memmem = ctypes.CDLL(None).memmem
    except (ImportError, OSError, AttributeError, TypeError):
        # A Python built without libffi, one that is linked statically, a system whose C library lacks it, Windows.
        return _by_python
    memmem.restype = ctypes.c_void_p
    memmem.argtypes = (ctypes.c_char_p, ctypes.c_size_t) * 2
    return lambda data, mark: memmem(data, len(data), mark, len(mark)) is not None


def _by_python(data: bytes, mark: bytes) -> bool:
    # Backwards takes half the time of forwards (measured, CPython 3.11).
    return data.rfind(mark) >= 0


_found: list[Callable[[bytes, bytes], bool]] = []


def _search(data: bytes, mark: bytes) -> bool:
    if not _found:
        _found.append(_searcher())
    return _found[0](data, mark)


_marks: dict[bytes, None] = {}
"""All that anybody asked about a text so far, which is what the next text will be asked about."""


class _Text:
    """What is known of a text."""

    __slots__ = ("answers", "data", "left")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.answers: dict[bytes, bool] = {}
        self.left = _FEW

    def holds(self, mark: bytes) -> bool:
        answer = self.answers.get(mark)
        if answer is not None:
            return answer
        if mark not in _marks and mark and len(_marks) < _MOST:
            _marks[mark] = None
        self.left -= 1
        compiled = native() if not self.left else None
        if compiled is not None:
            marks = tuple(_marks)
            self.answers.update(zip(marks, map(bool, compiled.held(self.data, marks)), strict=True))
        if mark not in self.answers:
            self.answers[mark] = _search(self.data, mark)
        return self.answers[mark]


_texts: tuple[_Text, ...] = ()
"""The last ones: a file's head as it is, and what stands in its wrappers."""
_KEPT = 4


def holds(data: bytes, mark: bytes) -> bool:
    """Whether `mark` is somewhere in `data`.

    The C library's search (glibc 2.28 and later: memmem skips by pairs of bytes) takes half the time of `bytes.rfind`
    for a mark in quotes in JSON, where every second word begins like it, and a tenth of that of `in` for a head of text;
    of a line it takes longer to ask it.  Where the extension is installed, a text that is asked about more than a few
    marks is searched once for all that were ever asked for: a parser more costs a file next to nothing.
    """
    global _texts  # noqa: PLW0603 - one tuple replaces another, so that threads see either
    if len(data) < _LINE_BYTES:
        return mark in data
    if len(data) not in _TEXT_BYTES:
        return _search(data, mark)
    for text in _texts:
        if text.data is data:
            return text.holds(mark)
    text = _Text(data)
    _texts = (text, *_texts[: _KEPT - 1])
    return text.holds(mark)


def lines_holding(data: bytes, marks: Sequence[bytes]) -> list[int]:
    """Which lines hold one of at most 32 marks, by their index."""
    compiled = native()
    if compiled is not None:
        return memoryview(compiled.lines_with(data, tuple(marks))).cast("q").tolist()[2::3]
    there = [mark for mark in marks if holds(data, mark)]
    if not there:
        return []
    return [index for index, line in enumerate(data.split(b"\n")) if any(mark in line for mark in there)]
