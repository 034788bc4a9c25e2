"""A parser of another distribution in the run: whatever it does costs no more than its own part, and is told in words.

Built-in parsers are not wrapped so: tests hold them to the same promises, and an error of theirs is a bug that must show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flowdiag.model.event import Event
from flowdiag.parserkit.block import Block, ParseContext
from flowdiag.parserkit.promises import (
    BrokenPromiseError,
    marks_fault,
    most_events,
    score_fault,
    sound,
)

__all__ = ["ForeignParser"]

_CALLED = ("record_start", "fold", "expect", "takes_two_cores", "interval_of", "cni_in")


class ForeignParser:
    """A parser of another distribution, which raises nothing but `BrokenPromiseError` and yields only sound events.

    Args:
        parser: an instance with a parser's shape.
        origin: how messages call it: ``parser acme-text of flowdiag-acme 0.1.0``.
    """

    def __init__(self, parser: Any, origin: str) -> None:
        self._parser = parser
        self._origin = origin
        self.name: str = parser.name

    def __getattr__(self, word: str) -> Any:
        # Copying asks for attributes before `__init__` has set any; and nobody can see which lines of a file a stranger
        # leaves out.
        if word in ("_parser", "read_file"):
            raise AttributeError(word)
        found = getattr(self._parser, word)
        return self._guarded(found, word) if word in _CALLED else found

    def __repr__(self) -> str:
        return f"<{self._origin}>"

    def sniff(self, head: bytes) -> float:
        """See `flowdiag.parserkit.Parser`."""
        score: float = self._guarded(self._parser.sniff, "sniff")(head)
        self._hold(score_fault(score))
        return score

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """See `flowdiag.parserkit.Parser`; ends where more events come than the block can hold."""
        left = most_events(block.data)
        line: int | None = None
        try:
            for event in self._parser.parse(block, context):
                try:
                    found = sound(event)
                except ValueError as error:
                    fault = str(error)
                    line = getattr(event, "line", None)
                    break
                yield found
                left -= 1
                if left < 0:
                    fault = (
                        f"parse does not end: {len(block.data):,} bytes gave more records than they can hold"
                    )
                    break
            else:
                return
        except Exception as error:
            raise self._raised(error, "parse") from error
        raise BrokenPromiseError(f"{self._origin}: {fault}", line=line if type(line) is int else None)

    @property
    def denied_marks(self) -> Callable[[bytes], tuple[bytes, ...] | None]:
        """See `flowdiag.parserkit.Parser`; there only where the parser has it."""
        ask = self._guarded(self._parser.denied_marks, "denied_marks")

        def asked(head: bytes) -> tuple[bytes, ...] | None:
            marks: tuple[bytes, ...] | None = ask(head)
            self._hold(marks_fault(marks))
            return marks

        return asked

    def _guarded(self, act: Callable[..., Any], word: str) -> Callable[..., Any]:
        def acted(*given: Any) -> Any:
            try:
                return act(*given)
            except Exception as error:
                raise self._raised(error, word) from error

        return acted

    def _raised(self, error: Exception, word: str) -> BrokenPromiseError:
        return BrokenPromiseError(f"{self._origin} raised {type(error).__name__}: {error} in {word}")

    def _hold(self, fault: str | None) -> None:
        if fault is not None:
            raise BrokenPromiseError(f"{self._origin}: {fault}")
