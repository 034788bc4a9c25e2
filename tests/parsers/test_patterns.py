"""No pattern backtracks without bound: text that nearly matches, however it goes on, is given up in time.

Log text is hostile.  A repetition in a repetition that can share its characters out in many ways tries all of them
before it gives up, which takes twice as long with each further character.
"""

import importlib
import pkgutil
import re
from collections import deque
from random import Random
from re import _constants as ops
from re import _parser as syntax

import pytest

import flowdiag
import flowdiag_parsers
from flowdiag.ingest.printed import _EVENTS

_LONG = 48
"""Repetitions: in 2 to the power of so many steps nobody gets anywhere, and in a million one does at once."""
_ALPHABET = "0a1bAZ \"\\:.=,-/[]{}()<>\t\n|@_;'f+*"


def _held(value):
    """The patterns that a module's name stands for: itself, those of a class, or what a function compiles when it is asked."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, type):
        yield from (each for each in vars(value).values() if isinstance(each, re.Pattern))
    elif hasattr(value, "cache_info"):
        made = value.__wrapped__
        if "Pattern[" in str(made.__annotations__.get("return")) and not made.__code__.co_argcount:
            compiled = value()
            several = compiled if isinstance(compiled, tuple | list) else (compiled,)
            yield from (each for each in several if isinstance(each, re.Pattern))


def _patterns():
    """Every pattern of the program, once."""
    found = {}
    for package in (flowdiag, flowdiag_parsers):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if info.name.endswith("__main__"):
                continue
            for value in vars(importlib.import_module(info.name)).values():
                for each in _held(value):
                    found[each.pattern, each.flags] = each
    return list(found.values())


def _parsed(pattern):
    text = pattern.pattern.decode("latin-1") if isinstance(pattern.pattern, bytes) else pattern.pattern
    return syntax.parse(text, pattern.flags & (re.VERBOSE | re.DOTALL | re.MULTILINE | re.IGNORECASE))


def _children(op, value):
    if op is ops.BRANCH:
        return value[1]
    if op in (ops.SUBPATTERN, ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
        return [value[-1]]
    return [value] if op is ops.ATOMIC_GROUP else []


def _repetitions(tree):
    """The repeats of a pattern that may go on for long."""
    for op, value in tree:
        if op in (ops.MAX_REPEAT, ops.MIN_REPEAT) and value[1] >= _LONG:
            yield value
        for child in _children(op, value):
            yield from _repetitions(child)


def _alternatives(tree):
    """What a repetition can repeat: its alternatives, where it is nothing but these."""
    while len(tree) == 1:
        ((op, value),) = tree
        if op is ops.BRANCH:
            return list(value[1])
        if op is not ops.SUBPATTERN:
            break
        tree = value[-1]
    return [tree]


def _one_of(value, chance):
    """A character of a class."""
    one = re.compile(
        "[{}]".format(
            "".join(
                {ops.CATEGORY_DIGIT: r"\d", ops.CATEGORY_SPACE: r"\s", ops.CATEGORY_WORD: r"\w"}.get(
                    of, {ops.CATEGORY_NOT_DIGIT: r"\D", ops.CATEGORY_NOT_SPACE: r"\S"}.get(of, r"\W")
                )
                if op is ops.CATEGORY
                else "^"
                if op is ops.NEGATE
                else re.escape(chr(of))
                if op is ops.LITERAL
                else f"{re.escape(chr(of[0]))}-{re.escape(chr(of[1]))}"
                for op, of in value
            )
        )
    )
    fitting = [character for character in _ALPHABET if one.fullmatch(character)]
    return chance.choice(fitting or ["\u2028"])


def _text(tree, chance, pumped=None):
    """Text that the pattern may match, the `pumped` repetition of it many times."""
    parts = []
    for op, value in tree:
        if op is ops.LITERAL:
            parts.append(chr(value))
        elif op is ops.NOT_LITERAL:
            parts.append(chance.choice([each for each in _ALPHABET if ord(each) != value]))
        elif op is ops.ANY:
            parts.append(chance.choice("a0 x"))
        elif op is ops.IN:
            parts.append(_one_of(value, chance))
        elif op in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
            least, most, inner = value
            times = _LONG if value is pumped else max(least, min(most, chance.randrange(3)))
            parts += [_text(inner, chance, pumped) for _ in range(times)]
        elif inner := _children(op, value):
            parts.append(_text(chance.choice(inner), chance, pumped))
    return "".join(parts)


def _nearly(pattern):
    """Texts that begin like a match, go on for long, and are none."""
    chance = Random(repr(pattern.pattern))  # noqa: S311 - test data
    tree = _parsed(pattern)
    for pumped in _repetitions(tree):
        for alternative in _alternatives(pumped[-1]) * 2:
            text = _text(tree, chance, pumped)
            again = _text(alternative, chance) * _LONG
            at = text.find(again[:4]) if again else -1
            for each in (f"{text[:-1]}\0", f"{text[: 2 * _LONG]}\0", f"{text[: max(at, 0)]}{again}\0"):
                yield each.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else each


@pytest.mark.usefixtures("never_endless")
def test_what_nearly_matches_is_given_up():
    """By every pattern, wherever in a text it is looked for."""
    patterns = _patterns()

    assert len(patterns) > 550
    for pattern in patterns:
        for text in _nearly(pattern):
            pattern.fullmatch(text)
            pattern.search(text)


def test_a_pattern_that_does_not_give_up_is_found(never_endless):
    """Of this pattern's near matches one is such that it never ends."""
    never_endless(1)
    pattern = re.compile(_EVENTS.pattern.replace(b"[A-Z]+ +", b"[A-Z][A-Z ]* +"))
    with pytest.raises(TimeoutError):
        deque((pattern.search(text) for text in _nearly(pattern)), maxlen=0)
