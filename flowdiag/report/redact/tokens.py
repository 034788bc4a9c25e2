"""Names and what stands for them: one token for a name, and never one token for two.

Tokens are numbered as names are met, so that the same report gives the same tokens.
"""

from __future__ import annotations

import re
from bisect import insort
from functools import lru_cache

from flowdiag.report.redact.words import CHUNK, PUBLIC, is_number, is_sentence_word

__all__ = ["Tokens"]

_PLAIN = re.compile(rf"(?![-._+~^$]){CHUNK}(?<![-._+~^$])")
_SAYS = re.compile(r"[0-9A-Za-z\x80-\U0010ffff]")
_JOINTS = re.compile("[/:@#%]")
_PREFIX = 6
"""Characters by which a name that is no single word is looked up."""
_ADDRESSES = frozenset({"ip4", "ip6", "mac"})
"""Kinds of names that are recognised by their form, and need not be looked for."""
_JOINED = re.compile(r"[-._]")
_MAX_JOINED = 24
_EARLIER = re.compile(
    r"(?:by|context|group|host|input|ip4|ip6|key|label|mac|name|node|ns|pod|rule|text|tier)-r+[0-9]{1,9}(?:/[0-9]{1,3})?"
)
"""A token of an earlier redaction, perhaps with a range's width."""


class Tokens:
    """The names of one report.  What a look-up costs does not follow how many names there are."""

    def __init__(self, everything: str, *, again: bool = False) -> None:
        """Begin with no name.

        Args:
            everything: all the texts, which no new token may stand in.
            again: they were redacted before, so that what looks like a token is one.
        """
        self._by_name: dict[str, str] = {}
        self._bare: set[str] = set()
        self.numbers = 0
        """How many names are numbers."""
        # A token must not be an original name itself: the tag grows until no text holds it.
        tag = "r"
        while re.search(rf"-{tag}[0-9]", everything):
            tag += "r"
        self._tag = tag
        own = rf"[a-z0-9]+-{tag}[0-9]+"
        self._shape = re.compile(f"{own}|{_EARLIER.pattern}" if again else own)
        self._odd: dict[str, list[int]] = {}
        """Prefix -> lengths of the names that start so and are no single word (paths, phrases), shortest first."""
        self._odd_start: re.Pattern[str] | None = None
        self.odd = 0
        """How many names are no single word."""

    def of(self, name: str, kind: str) -> str:
        """The token of what stands where names do; what is the same in every cluster stays, and what is no name."""
        token = self._by_name.get(name)
        if token is not None:
            return token
        number = is_number(name)
        if name in PUBLIC or not _SAYS.search(name) or self._shape.fullmatch(name):
            return name
        self.numbers += number
        token = self._by_name[name] = f"{kind}-{self._tag}{len(self._by_name) + 1}"
        # A time is no name that texts are searched for: what is called so is one where names stand.
        if kind not in _ADDRESSES and not number and (not _PLAIN.fullmatch(name) or _JOINTS.search(name)):
            lengths = self._odd.setdefault(name[:_PREFIX], [])
            if len(name) not in lengths:
                insort(lengths, len(name))
            self._odd_start = None
            self.odd += 1
        return token

    @property
    def met(self) -> tuple[int, int]:
        """How many names were met, and how many of those that stand alone in sentences; with more, texts may change."""
        return len(self._by_name), len(self._bare)

    @property
    def has_names(self) -> bool:
        """Whether some name was met that is no token."""
        return bool(self._by_name)

    def bare(self, name: str) -> None:
        """Note that flowdiag's sentences have this name without a namespace."""
        self._bare.add(name)

    def is_bare(self, word: str) -> bool:
        """Whether it is such a name."""
        return word in self._bare

    def known(self, word: str) -> str | None:
        """The token of a name that was met before."""
        return self._by_name.get(word)

    def made(self, text: str) -> bool:
        """Whether `text` is a token."""
        return self._shape.fullmatch(text) is not None

    def holds_known(self, word: str) -> bool:
        """Whether one of the parts of ``checkout-7d4b9c-x2x4f`` is a name, or several next to each other are."""
        ends = [at.start() for at in _JOINED.finditer(word)][:_MAX_JOINED]
        if not ends:
            return False
        starts = [0, *(at + 1 for at in ends)]
        ends.append(len(word))
        return any(
            word[start:end] in self._by_name and not _says_nothing(word[start:end])
            for start in starts
            for end in ends
            if start < end and end - start < len(word)
        )

    def without_odd(self, text: str) -> str:
        """`text` with those names replaced that are more than one word, the longest first, in one pass."""
        if not self._odd:
            return text
        if self._odd_start is None:
            heads = sorted(self._odd, key=len, reverse=True)
            self._odd_start = re.compile("|".join(map(re.escape, heads)))
        pieces: list[str] = []
        done = at = 0
        while (match := self._odd_start.search(text, at)) is not None:
            start = match.start()
            name = self._odd_at(text, start)
            if name is None:
                at = start + 1
                continue
            pieces += (text[done:start], self._by_name[name])
            done = at = start + len(name)
        return "".join((*pieces, text[done:]))

    def _odd_at(self, text: str, at: int) -> str | None:
        # A shorter head may belong to another name that stands here; the longest first.
        for size in range(_PREFIX, 0, -1):
            for length in reversed(self._odd.get(text[at : at + size], ())):
                name = text[at : at + length]
                if len(name) == length and name in self._by_name and _bounded(text, at, at + length):
                    return name
        return None


def _bounded(text: str, start: int, end: int) -> bool:
    """Whether a name does not go on at its ends as a word does."""
    before = start == 0 or not (text[start - 1].isalnum() and text[start].isalnum())
    return before and (end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum()))


@lru_cache(maxsize=4096)
def _says_nothing(word: str) -> bool:
    """Whether a part of a longer word is too common to be anybody's name there."""
    return len(word) < 3 or is_sentence_word(word)
