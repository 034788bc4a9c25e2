"""Diagnoses and audit checks of other distributions: if one fails, only its own findings are lost, and a warning says so.

Built-in ones do without: an error of theirs is a bug that must show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec

from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.model.finding import CODE_PATTERN, Finding
from flowdiag.model.report import Severity
from flowdiag.parserkit.registry import Registered

__all__ = ["UnsoundError", "hold", "holding", "named_fault", "rule_fault"]

_MOST = 100
"""The most findings of one case; a rule that gives more would never end."""
T = TypeVar("T")
_ENCODER = msgspec.msgpack.Encoder()
_FINDING = msgspec.msgpack.Decoder(Finding)


def named_fault(name: str, plugin: Any) -> str | None:
    """What is wrong with the words that the catalogue shows of a rule or check."""
    code = getattr(plugin, "code", None)
    if code != name:
        return f"its code is {code!r}, and it is registered as {name!r}: both must be the same word"
    if not re.search(CODE_PATTERN, name):
        return f"a code is some capital letters and digits, as AC101, not {name!r}"
    if not isinstance(getattr(plugin, "slug", None), str) or not plugin.slug:
        return "slug is its name in a word or a few joined by hyphens"
    if not isinstance(getattr(plugin, "severity", None), Severity):
        return f"severity is a Severity, not {getattr(plugin, 'severity', None)!r}"
    if not (type(plugin).__doc__ or "").strip():
        return "its docstring is what flowdiag codes prints, and it has none"
    return None


def rule_fault(name: str, plugin: Any) -> str | None:
    """What keeps an object from being a diagnosis; ``None`` where nothing does."""
    if not isinstance(plugin, Rule):
        return "a diagnosis is a flowdiag.diagnose.Rule"
    if not isinstance(getattr(plugin, "title", None), str) or not plugin.title:
        return "title is a template with {source}, {destination} and {port}"
    if not isinstance(plugin.needs, Needs):
        return f"needs are of flowdiag.diagnose.Needs, not {plugin.needs!r}"
    if not isinstance(plugin.signs, tuple) or not all(isinstance(sign, int) for sign in plugin.signs):
        return f"signs is a tuple of flowdiag.diagnose.signs.Sign, not {plugin.signs!r}"
    if not isinstance(plugin.specificity, int) or not isinstance(plugin.passed, bool):
        return "specificity is a whole number, and passed True or False"
    return named_fault(name, plugin)


def hold(plugin: Registered) -> Rule:
    """Wrap a diagnosis of another distribution, so that it gives only sound findings, and failures are noted in the context."""
    rule: Rule = plugin.plugin
    if not plugin.foreign:
        return rule
    origin = f"diagnosis {plugin.origin}"

    def diagnose(case: Any) -> Sequence[Finding]:
        found, why = holding(lambda: type(rule).diagnose(rule, case), lambda one: _sound(rule, one), _MOST)
        if why is not None:
            case.context.fails(origin, why)
        return found

    def annotate(case: Any, finding: Finding) -> Finding:
        found, why = holding(
            lambda: [type(rule).annotate(rule, case, finding)], lambda one: _sound(None, one), 1
        )
        if why is not None:
            case.context.fails(origin, why)
        return found[0] if found else finding

    # Which of the two a rule has is asked of its class, which stays as it is.
    vars(rule).update(diagnose=diagnose, annotate=annotate)
    return rule


def holding(
    ask: Callable[[], Iterable[Any]], sound: Callable[[Any], T], most: int
) -> tuple[list[T], str | None]:
    """Collect what a plugin gives, and say why it is not more; nothing where it fails."""
    try:
        given = list(islice(ask(), most + 1))
        if len(given) > most:
            return [], f"gives more than {most} of them"
        return [sound(one) for one in given], None
    except UnsoundError as error:
        return [], str(error)
    except Exception as error:  # noqa: BLE001 - a stranger's rule may raise anything; it costs what it would have said.
        return [], f"raised {' '.join(f'{type(error).__name__}: {error}'.split())}"


class UnsoundError(Exception):
    """What was given is nothing that can be used."""


def _sound(rule: Rule | None, finding: Any) -> Finding:
    if not isinstance(finding, Finding):
        raise UnsoundError(f"gives no Finding but {type(finding).__name__}; self.finding(...) makes one")
    try:
        found: Finding = _FINDING.decode(_ENCODER.encode(finding))
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UnsoundError(f"gives a Finding whose parts are not what they must be: {error}") from error
    if rule is not None and found.code != rule.code:
        raise UnsoundError(f"gives a Finding of another code: {found.code}")
    return found
