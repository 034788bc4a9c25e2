"""What stands behind an L7 redirect: HTTP and DNS rules held against a record, where there is one.

A rule with L7 parts allows the connection at L4 and hands it to the proxy; each request is decided there.
Without a record of a request the connection counts as allowed, and the rule's note says what is open.

Sources: Cilium v1.20 ``pkg/policy/api/{http,l7}.go`` (expressions are held against the whole value),
``Documentation/security/policy/layer7.rst``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar
from urllib.parse import urlsplit

from msgspec import Struct

from flowdiag.model.event import L7, Direction
from flowdiag.model.masking import masked
from flowdiag.model.policy import Condition, Miss
from flowdiag.policy.compile.cilium_names import NamePattern, read_name
from flowdiag.policy.compile.context import PolicyError, entries, unknown_field
from flowdiag.policy.facts import Facts
from flowdiag.policy.model import MATCH, Check, Outcome, Traffic, all_of, miss, unknown

__all__ = ["PORT_FIELDS", "OtherRequests", "Redirect", "read_l7"]

_MAX_TEXT = 1024
_MAX_REPEATS = 2
_MAX_WAYS = 64
_REDACTED = "HUBBLE_REDACTED"

# An expression that cannot take long: no group is repeated, few parts are, and few are optional or have alternatives.
# "/public/.*", "GET|HEAD"
_ATOM = r"(?:\\[.\-/\\dws]|\[[\w\-./ ^]{1,64}\]|[\w\-./:@%&=,~ ^$|])"
_TAME = re.compile(rf"(?:{_ATOM}[*+?]?|\((?:\?:)?|\)(?![*+?{{]))*+")
_REPEATS = re.compile(r"(?<!\\)[*+]")
_PARTS = re.compile(r"\\.|\[[^\]]*\]|\(\?:|[()|?]")


class HttpRule(Struct, frozen=True):
    """One entry of ``http``; `other` names a field that records do not let one decide."""

    method: str = ""
    path: str = ""
    host: str = ""
    other: str = ""

    @property
    def text(self) -> str:
        """The rule as one line."""
        return " ".join(each for each in (self.method, self.host + self.path, self.other) if each) or "any"

    def check(self, request: L7) -> Check:
        """Answer for one request."""
        host, path = _parts(request.url)
        checks = [
            _regex("method", self.method, request.method),
            _regex("path", self.path, path),
            _regex("host", self.host, host),
        ]
        if self.other:
            checks.append(unknown(f"{self.other} of an http rule is not recorded"))
        outcome = min(each.outcome for each in checks)
        if outcome is Outcome.MISS:
            return miss(
                Miss(Condition.L7, self.text, f"{request.method or '?'} {masked(request.url or '?')}")
            )
        return all_of(checks)


def _parts(url: str | None) -> tuple[str | None, str | None]:
    """Host, and path with its query, of what was asked for; nothing of what is no address."""
    if url is None:
        return None, None
    try:
        parts = urlsplit(url)
    except ValueError:  # http://[x/: anybody may ask for that
        return None, None
    return parts.netloc or None, parts.path + (f"?{parts.query}" if parts.query else "")


def _regex(field: str, pattern: str, value: str | None) -> Check:
    if not pattern:
        return MATCH
    if value is None or _REDACTED in value:
        return unknown(f"the request's {field} is not recorded")
    if len(value) > _MAX_TEXT or len(pattern) > _MAX_TEXT or not _TAME.fullmatch(pattern):
        return unknown(f"the expression for {field} is not evaluated")
    if len(_REPEATS.findall(pattern)) > _MAX_REPEATS or _ways(pattern) > _MAX_WAYS:
        return unknown(f"the expression for {field} is not evaluated")
    try:
        return MATCH if re.fullmatch(pattern, value) else miss()
    except re.error:
        return unknown(f"the expression for {field} is not one")


def _ways(pattern: str) -> int:
    """How many ways there are at most to choose among an expression's alternatives, and to take or leave its optional parts."""
    ways, bars = 1, [0]
    for part in _PARTS.findall(pattern):
        if part in ("(", "(?:"):
            bars.append(0)
        elif part == "|":
            bars[-1] += 1
        elif part == "?":
            ways *= 2
        elif part == ")" and len(bars) > 1:
            ways *= bars.pop() + 1
    for left in bars:
        ways *= left + 1
    return ways


class Redirect(Struct, frozen=True):
    """The L7 rules of one entry of ``toPorts``; `parser` is ``http``, ``dns`` or another proxy's word."""

    parser: str
    http: tuple[HttpRule, ...] = ()
    dns: tuple[NamePattern, ...] = ()

    by_destination: ClassVar[bool] = False

    @property
    def note(self) -> str:
        """What a reader must know of a connection that this allows."""
        return f"redirected to the L7 proxy: its {self.parser} rules decide each request, not known here"

    def check(self, traffic: Traffic, _destination: Facts, /) -> Check:
        """See `TrafficMatcher.check`."""
        request = traffic.l7
        if request is None:
            return MATCH
        if request.kind != self.parser or self.parser not in ("http", "dns"):
            return unknown(f"{self.parser} rules are not held against a record of {request.kind}")
        if self.parser == "http":
            return _best([each.check(request) for each in self.http])
        if request.query is None:
            return unknown("the DNS query is not recorded")
        if any(each.holds(request.query) for each in self.dns):
            return MATCH
        return miss(Miss(Condition.L7, ",".join(each.text for each in self.dns[:8]), request.query))

    def edges(self, _protocol: str, _destination: Facts, /) -> Iterable[int]:
        """See `TrafficMatcher.edges`."""
        return ()


class OtherRequests(Struct, frozen=True):
    """A request that the L7 rules of a policy without default deny do not admit: releases differ."""

    inner: Redirect

    by_destination: ClassVar[bool] = False

    def check(self, traffic: Traffic, destination: Facts, /) -> Check:
        """See `TrafficMatcher.check`."""
        if self.inner.check(traffic, destination).outcome is Outcome.MATCH:
            return miss(Miss(Condition.L7, "a request that no L7 rule admits", None))
        return unknown("what L7 rules without default deny do to other requests differs between releases")

    def edges(self, _protocol: str, _destination: Facts, /) -> Iterable[int]:
        """See `TrafficMatcher.edges`."""
        return ()


def _best(checks: list[Check]) -> Check:
    return max(checks, key=lambda each: (each.outcome, -len(each.misses)))


PORT_FIELDS = frozenset({"ports", "rules", "serverNames", "listener", "originatingTLS", "terminatingTLS"})
_RULE_FIELDS = ("http", "dns", "kafka", "l7proto", "l7")


def read_l7(raw: dict[str, Any], path: str, direction: Direction) -> tuple[Redirect, ...]:
    """Compile what one entry of ``toPorts`` asks of the proxy; empty where it asks nothing.

    Raises:
        PolicyError: what the agent rejects, or a field that is not known.
    """
    if (why := unknown_field(raw, PORT_FIELDS, path)) is not None:
        raise PolicyError(why)
    found = []
    rules = raw.get("rules") or {}
    if not isinstance(rules, dict):
        raise PolicyError(f"{path}.rules is not an object")
    if (why := unknown_field(rules, _RULE_FIELDS, f"{path}.rules")) is not None:
        raise PolicyError(why)
    given = [key for key in _RULE_FIELDS if rules.get(key)]
    if len([key for key in given if key != "l7"]) > 1:
        raise PolicyError(f"{path}.rules has rules of several protocols")
    if "l7" in given and "l7proto" not in given:
        raise PolicyError(f"{path}.rules.l7 stands without l7proto")
    if "http" in given:
        entered = entries(rules["http"], f"{path}.rules.http")
        found.append(
            Redirect(
                "http", http=tuple(_http(each, f"{path}.rules.http[{n}]") for n, each in enumerate(entered))
            )
        )
    elif "dns" in given:
        if direction is Direction.INGRESS:
            raise PolicyError(f"{path}.rules.dns stands in an ingress rule")
        entered = entries(rules["dns"], f"{path}.rules.dns")
        found.append(
            Redirect(
                "dns", dns=tuple(read_name(each, f"{path}.rules.dns[{n}]") for n, each in enumerate(entered))
            )
        )
    elif "kafka" in given:
        found.append(Redirect("kafka"))
    elif "l7proto" in given:
        found.append(Redirect(str(rules["l7proto"])[:64]))
    if raw.get("listener") and (found or direction is Direction.INGRESS):
        raise PolicyError(f"{path}.listener stands beside L7 rules or in an ingress rule")
    found.extend(
        Redirect(field)
        for field in ("serverNames", "listener", "originatingTLS", "terminatingTLS")
        if raw.get(field) and not (field.endswith("TLS") and found)
    )
    return tuple(found)


def _http(raw: Any, path: str) -> HttpRule:
    if not isinstance(raw, dict):
        raise PolicyError(f"{path} is not an object")
    other = sorted(str(key) for key, value in raw.items() if value and key not in ("method", "path", "host"))
    method, whole, host = (raw.get(key) or "" for key in ("method", "path", "host"))
    if not all(isinstance(each, str) for each in (method, whole, host)):
        raise PolicyError(f"{path} holds something else than expressions")
    return HttpRule(method, whole, host, other[0] if other else "")
