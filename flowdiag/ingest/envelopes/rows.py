"""Lines with what is known around each: what every layer of envelopes takes and gives.

A layer peels one kind of wrapper.  It works on a run of whole lines at a time; columns that no layer
fills stay ``None``, so a file without wrappers costs nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar, NamedTuple, TypeVar

from msgspec import Struct

from flowdiag.model.time import parse_rfc3339
from flowdiag.parserkit import Envelope, ParseContext
from flowdiag.parserkit.lines import MAX_LINE_BYTES

__all__ = ["Layer", "Row", "Rows", "ends_open", "instant", "merged", "rows_from", "text_rows"]

_T = TypeVar("_T")


class Row(NamedTuple):
    """One line, without its newline."""

    data: bytes
    line: int
    at: int | None = None
    node: str | None = None
    namespace: str | None = None
    pod: str | None = None
    container: str | None = None


class Rows(Struct, kw_only=True):
    """Parallel columns over whole lines, as `flowdiag.parserkit.Envelope` has them."""

    data: bytes
    lines: Sequence[int]
    """Original line numbers; its length is the number of lines in `data`."""
    at: list[int | None] | None = None
    node: list[str | None] | None = None
    namespace: list[str | None] | None = None
    pod: list[str | None] | None = None
    container: list[str | None] | None = None
    year_inferred: bool = False

    def __iter__(self) -> Iterator[Row]:
        """Row by row, for layers that cannot do better."""
        nothing: list[None] = [None] * len(self.lines)
        raw = self.data.split(b"\n")
        if raw and not raw[-1]:
            raw.pop()
        yield from map(
            Row,
            raw,
            self.lines,
            self.at or nothing,
            self.node or nothing,
            self.namespace or nothing,
            self.pod or nothing,
            self.container or nothing,
        )

    def envelope(self) -> Envelope:
        """The columns as a parser gets them."""
        return Envelope(
            lines=list(self.lines),
            at=self.at,
            node=self.node,
            namespace=self.namespace,
            pod=self.pod,
            container=self.container,
            year_inferred=self.year_inferred,
        )


def rows_from(rows: Iterable[Row], *, year_inferred: bool = False, open_end: bool = False) -> Rows:
    """Columns from single rows; a column without any value is ``None``.

    Args:
        rows: the lines.
        year_inferred: as in `Rows`.
        open_end: the last line may have been cut off: it gets no newline, by which parsers know such a one.
    """
    listed = list(rows)
    if not listed:
        return Rows(data=b"", lines=[], year_inferred=year_inferred)
    data, lines, at, node, namespace, pod, container = zip(*listed, strict=True)
    return Rows(
        data=b"\n".join(data) + b"\n" * (not open_end),
        lines=list(lines),
        at=_column(at),
        node=_column(node),
        namespace=_column(namespace),
        pod=_column(pod),
        container=_column(container),
        year_inferred=year_inferred,
    )


def _column(values: tuple[_T | None, ...]) -> list[_T | None] | None:
    return None if all(value is None for value in values) else list(values)


def ends_open(rows: Rows) -> bool:
    """Whether the last line has no newline: it may have been cut off."""
    return bool(rows.lines) and not rows.data.endswith(b"\n")


def merged(outer: list[_T | None] | None, inner: list[_T | None] | None) -> list[_T | None] | None:
    """The inner layer stands nearer to the writer of the line, so what it says wins."""
    if inner is None:
        return outer
    if outer is None:
        return inner
    return [there if here is None else here for here, there in zip(inner, outer, strict=True)]


def instant(text: str | None) -> int | None:
    """Nanoseconds of an RFC 3339 stamp with a zone, else ``None``."""
    if not text:
        return None
    try:
        return parse_rfc3339(text)
    except (ValueError, OverflowError):
        return None


def text_rows(message: str | bytes, row: Row) -> Iterator[Row]:
    """The lines of a message that came inside `row`; all keep its line number."""
    data = message if isinstance(message, bytes) else message.encode("utf-8", "surrogatepass")
    data = data.removesuffix(b"\n")
    if b"\n" not in data:
        yield row._replace(data=data)
        return
    for part in data.split(b"\n"):
        yield row._replace(data=part)


def _unheard(line: int) -> None:
    """Where nobody asks: heads are looked at before they are read."""
    del line


class Layer(ABC):
    """One kind of wrapper.  An instance belongs to one input: it may hold back unfinished records."""

    name: ClassVar[str]
    """Kebab-case, shown by ``flowdiag parsers detect``: ``cri``, ``docker-json`` ..."""
    splittable: ClassVar[bool] = True
    """Lines are independent of earlier ones, so an input can be cut anywhere between lines."""
    longest: ClassVar[int] = MAX_LINE_BYTES
    """Bytes of a wrapped line; the rest of a longer one is lost."""
    keeps_nuls: ClassVar[bool] = False
    """NULs are the wrapper's own (a length in binary), and not what a crash left."""
    marks: ClassVar[tuple[bytes, ...]] = ()
    """Every wrapped line has all of these."""
    by_line: ClassVar[bool] = False
    """`share` looks at each line by itself, so that a few of the sample tell whether there are any."""

    def __init__(self, context: ParseContext) -> None:
        self.context = context
        self.too_long: Callable[[int], None] = _unheard
        """Told the first line of each record whose pieces are longer together than a line may be: it loses its end."""

    @classmethod
    @abstractmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """Which part of these sampled lines this layer would peel, 0 to 1."""

    @abstractmethod
    def peel(self, rows: Rows) -> Rows:
        """Peel a run of lines; foreign lines pass unchanged.  Unfinished records are held back."""

    def flush(self) -> Rows | None:
        """What was held back, at the end of the input."""
        return None
