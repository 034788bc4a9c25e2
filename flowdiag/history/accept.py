"""Findings that somebody answers for: the ``[[accept]]`` entries of ``.flowdiag.toml``.

An entry names one problem by its fingerprint, or a kind of problems by code and selectors.  It needs a
reason, an owner and a day on which it ends; nothing is accepted for ever by forgetting it.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Sequence
from datetime import date
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from flowdiag.model.errors import UsageError
from flowdiag.model.finding import CODE_PATTERN
from flowdiag.model.report import Connection, Problem, ReportEndpoint

__all__ = ["Acceptance", "Accepted", "accept", "concerns", "parse_acceptances"]

_Text = Annotated[str, Meta(min_length=1, max_length=1000)]


class Acceptance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[accept]]`` entry; what is left out matches everything."""

    reason: _Text
    owner: _Text
    expires: date
    """The last day on which it holds, UTC."""
    fingerprint: _Text | None = None
    code: Annotated[str, Meta(pattern=CODE_PATTERN)] | None = None
    source: _Text | None = field(name="from", default=None)
    """``namespace/workload`` with ``*`` and ``?``, an address range, a DNS name, or an entity."""
    destination: _Text | None = field(name="to", default=None)
    port: Annotated[int, Meta(ge=0, le=65535)] | None = None
    protocol: _Text | None = None
    direction: Annotated[str, Meta(pattern=r"^(egress|ingress)$")] | None = None

    @property
    def key(self) -> str:
        """What stays the same while reason, owner and expiry are edited."""
        what = (
            self.fingerprint,
            self.code,
            self.source,
            self.destination,
            self.port,
            self.protocol,
            self.direction,
        )
        return hashlib.sha256(repr(what).encode()).hexdigest()[:16]

    @property
    def text(self) -> str:
        """What it accepts, as one phrase."""
        parts = [self.code or "", f"fingerprint {self.fingerprint}" if self.fingerprint else ""]
        parts.append(f"from {self.source}" if self.source else "")
        parts.append(f"to {self.destination}" if self.destination else "")
        parts.append(f"port {self.port}" if self.port is not None else "")
        parts.extend((self.protocol or "", self.direction or ""))
        return " ".join(filter(None, parts))


class _File(Struct, forbid_unknown_fields=True):
    accept: list[Acceptance] = []


class Accepted(Struct, frozen=True, kw_only=True):
    """What the entries did to the problems of one run."""

    by: dict[int, Acceptance]
    """Index of an accepted problem to the entry that accepts it."""
    partly: dict[int, tuple[Acceptance, int]]
    """Index of a problem that stays open to an entry and how many of its connections that entry matches."""
    expired: tuple[Acceptance, ...]
    unused: tuple[Acceptance, ...]
    """In force, and no problem of this run is theirs."""


def parse_acceptances(name: str, data: bytes) -> tuple[Acceptance, ...]:
    """Read a ``.flowdiag.toml``.

    Raises:
        UsageError: it is no TOML, or an entry is not one; the message says which and why.
    """
    try:
        parsed = tomllib.loads(data.decode())
    except RecursionError:
        raise UsageError(f"{name}: not TOML: nested too deeply") from None
    except ValueError as error:  # also of a number or a day that there is not
        raise UsageError(f"{name}: not TOML: {error}") from None
    try:
        entries = msgspec.convert(_by_code(parsed), _File).accept
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{name}: {_fault(str(error))}",
            hint="an [[accept]] entry has reason, owner, expires (a day: 2027-01-31), a fingerprint or code, "
            "and may have from, to, port, protocol and direction",
        ) from None
    for number, entry in enumerate(entries, start=1):
        if entry.fingerprint is None and entry.code is None:
            raise UsageError(f"{name}: [[accept]] entry {number} names neither a fingerprint nor a code")
    return tuple(entries)


# "Object contains unknown field `cod` - at `$.accept[1]`", "Expected `int`, got `str` - at `$.accept[0].port`"   msgspec 0.19
_PLACE = re.compile(r"(.+) - at `\$\.accept\[(\d+)\](?:\.(\w+))?[^`]*`", re.DOTALL)
_WANTS = {
    "expires": "a day such as 2027-01-31",
    "code": "a code that flowdiag codes lists, such as FD101",
    "fingerprint": "the fingerprint that flowdiag show -v prints",
    "port": "a number from 0 to 65535",
    "direction": '"egress" or "ingress"',
}
_FIELD = re.compile(r"Object (contains unknown|missing required) field `(.*)`", re.DOTALL)


def _fault(error: str) -> str:
    """``[[accept]] entry 2: no such key: cod``, counted as people count."""
    placed = _PLACE.fullmatch(error)
    text = placed[1] if placed else error
    field = _FIELD.fullmatch(text)
    if field:
        text = f"no such key: {field[2]}" if field[1].startswith("contains") else f"{field[2]} is missing"
    elif placed and placed[3]:
        text = f"{placed[3]} wants {_WANTS.get(placed[3], 'text that is not empty')}"
    return f"[[accept]] entry {int(placed[2]) + 1}: {text}" if placed else text


def _by_code(parsed: dict[str, Any]) -> dict[str, Any]:
    """The same with `class` as `code`: the catalogue calls its entries both."""
    entries = parsed.get("accept")
    if not isinstance(entries, list):
        return parsed
    renamed = [
        {("code" if key == "class" else key): value for key, value in entry.items()}
        if isinstance(entry, dict) and not ("code" in entry and "class" in entry)
        else entry
        for entry in entries
    ]
    return {**parsed, "accept": renamed}


def accept(problems: Sequence[Problem], entries: Iterable[Acceptance], today: date) -> Accepted:
    """Say which problems are accepted.

    A problem is accepted as a whole or not at all: one connection that no entry speaks of keeps it open,
    since that one may be the news.
    """
    by: dict[int, Acceptance] = {}
    partly: dict[int, tuple[Acceptance, int]] = {}
    expired: list[Acceptance] = []
    unused: list[Acceptance] = []
    for entry in entries:
        if today > entry.expires:
            expired.append(entry)
            continue
        used = False
        for index, problem in enumerate(problems):
            matched, of = _matched(entry, problem)
            used = used or matched > 0
            if matched and matched == of:
                by.setdefault(index, entry)
            elif matched:
                partly.setdefault(index, (entry, matched))
        if not used:
            unused.append(entry)
    return Accepted(
        by=by,
        partly={index: one for index, one in partly.items() if index not in by},
        expired=tuple(expired),
        unused=tuple(unused),
    )


def concerns(entry: Acceptance, problem: Problem) -> bool:
    """Whether an entry speaks of a problem, or of some of its connections."""
    return _matched(entry, problem)[0] > 0


def _matched(entry: Acceptance, problem: Problem) -> tuple[int, int]:
    """How many of a problem's connections an entry matches, and of how many; one for a problem without any."""
    connections = problem.connections or (_alone(problem),)
    if entry.fingerprint is not None and entry.fingerprint != problem.fingerprint:
        return 0, len(connections)
    if entry.code is not None and entry.code != problem.code:
        return 0, len(connections)
    if entry.direction is not None and entry.direction != problem.direction:
        return 0, len(connections)
    return sum(_meets(entry, connection) for connection in connections), len(connections)


def _alone(problem: Problem) -> Connection:
    return Connection(
        source=problem.source,
        destination=problem.destination,
        protocol=problem.protocol,
        port=problem.port,
        count=problem.count,
        first=problem.first,
        last=problem.last,
    )


def _meets(entry: Acceptance, connection: Connection) -> bool:
    if entry.port is not None and entry.port != connection.port:
        return False
    if entry.protocol is not None and entry.protocol.lower() != (connection.protocol or "").lower():
        return False
    return _is(entry.source, connection.source) and _is(entry.destination, connection.destination)


def _is(wanted: str | None, end: ReportEndpoint) -> bool:
    if wanted is None:
        return True
    range_ = _range(wanted)
    if range_ is not None:
        # A folded range is inside the wanted one as a whole; addresses of an end must all be.
        texts = [end.name] if end.name and _range(end.name) is not None else end.ips
        return bool(texts) and all(_inside(text, range_) for text in texts)
    return any(fnmatchcase(name, wanted) for name in _names(end))


def _names(end: ReportEndpoint) -> Iterable[str]:
    names = {end.name, end.workload.name if end.workload else None} - {None}
    for name in names:
        yield f"{end.namespace}/{name}" if end.namespace else f"{name}"
        yield f"{end.kind}:{end.namespace}/{name}" if end.namespace else f"{end.kind}:{name}"
    yield from end.dns_names


def _range(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _inside(text: str, range_: IPv4Network | IPv6Network) -> bool:
    own = _range(text)
    return own is not None and own.version == range_.version and own.subnet_of(range_)  # type: ignore[arg-type]
