"""Whole texts: which of their words may be names, by whose text it is and where each word stands.

There are four sorts of text.  In order of how much of them is replaced:

- A *value* is a place for a name, such as a label's value: every word of it is replaced.
- A *record* is a line of evidence.  It is treated as a line is, and a number in it stays only where the record
  itself shows that it counts something.
- A *line* is text that a stranger wrote: words that the known formats use stay, except where a name must stand.
- A *sentence* is flowdiag's own: names that were met are replaced wherever they stand, but one that is also an
  ordinary word of such sentences only where a name must stand.

A name must stand beside ``/``, behind ``=``, in quotes or brackets, and behind its kind ("pod web").
What becomes of one word is decided in `flowdiag.report.redact.one_word`.
"""

from __future__ import annotations

import re

from flowdiag.report.redact.counted import is_counted
from flowdiag.report.redact.forms import HOST, POLICY_HIT, PORT_BEHIND, SYSLOG_TIME, address_in
from flowdiag.report.redact.keys import is_common_key
from flowdiag.report.redact.one_word import ENDS, LABEL_SOURCES, LONG, OWN_HOSTS, Sort, Words
from flowdiag.report.redact.places import CALLED, PROBES, Place, place_of, stands_bare
from flowdiag.report.redact.tokens import Tokens
from flowdiag.report.redact.words import CHUNK, is_kind, is_number, may_be_called

__all__ = ["Texts"]

_CHUNK = re.compile(CHUNK)
# A string as Python's repr writes it: 'app == \'web\' && team == "a"'.  One whose closing quote is missing, because
# the text was cut, goes on to the end of the text.
_QUOTED = re.compile(r"(?<!\w)(['\"])((?:\\.|[^\\])*?)(\1(?!\w)|\\?\Z)", re.DOTALL)
_CLOSES = ("]", ")", ">")
"""What may stand before the colon of a port where no word does: ``[2001:db8::1]:443``."""
# kubectl's options whose value is a namespace: kubectl -n shop get pods
_FLAGS = frozenset({"-n", "--namespace"})
_DOCUMENTATION = (
    "https://kubernetes.io/",
    "https://docs.cilium.io/",
    "https://docs.tigera.io/",
    "https://github.com/",
)


class Texts:
    """The texts of one report, with the tokens of its names."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._words = Words(tokens)
        # A report says the same things again and again: of a million texts some ten thousand are different.
        self._values: dict[tuple[str, str], str] = {}
        self._values_at = 0
        """`Tokens.odd` when `_values` was begun: with more odd names known, the same value may be shown otherwise."""
        self._lines: dict[tuple[str, Sort, str], str] = {}
        self._lines_at = (0, 0)
        """`Tokens.met` when `_lines` was begun; as for `_values_at`."""

    def forget(self) -> None:
        """Forget what texts came to, since more names are known now."""
        self._words.forget()
        self._values.clear()
        self._lines.clear()

    # -- the sorts of text ------------------------------------------------------------------------------------

    def value(self, text: str, kind: str) -> str:
        """Replace every word but for ports and well-known keys; an address gets an address's token.

        Args:
            text: what stands in a place for a name.
            kind: which kind of name that is: ``pod``, ``label`` ...
        """
        if self._values_at != self._tokens.odd:
            self._values.clear()
            self._values_at = self._tokens.odd
        shown = self._values.get((text, kind))
        if shown is None:
            shown = self._values[text, kind] = self._value(text, kind)
        return shown

    def _value(self, text: str, kind: str) -> str:
        text = self._tokens.without_odd(text)
        hit = POLICY_HIT.fullmatch(text)
        if hit is not None:
            return "|".join(
                (
                    hit[1],
                    self.value(hit[2], "tier") if hit[2] != "default" else hit[2],
                    self.value(hit[3], "name"),
                    hit[4],
                    hit[5],
                )
            )
        return _CHUNK.sub(
            lambda match: self._words.word(
                match[0],
                Place.LABEL if text[match.end() : match.end() + 1] == "=" else Place.NAME,
                Sort.LINE,
                kind,
            ),
            text,
        )

    def line(self, text: str, kind: str = "text") -> str:
        """Replace names in text that a stranger wrote; a number is taken for a name if it was met as one elsewhere."""
        return self._line(text, Sort.LINE, kind)

    def record(self, text: str) -> str:
        """Replace names in a line of evidence; a number is taken for a name unless the line shows what it counts."""
        return self._line(text, Sort.RECORD, "text")

    def _line(self, text: str, sort: Sort, kind: str) -> str:
        if self._lines_at != self._tokens.met:
            self._lines.clear()
            self._lines_at = self._tokens.met
        shown = self._lines.get((text, sort, kind))
        if shown is None:
            shown = self._lines[text, sort, kind] = self._stranger(text, sort, kind)
        return shown

    def _stranger(self, text: str, sort: Sort, kind: str) -> str:
        time = SYSLOG_TIME.match(text)
        head = time[0] if time is not None else ""
        return head + self._text(self._tokens.without_odd(text[len(head) :]), sort, kind)

    def sentence(self, text: str) -> str:
        """Replace names in what flowdiag itself wrote; what stands in quotes there is a stranger's text."""
        if text.startswith(_DOCUMENTATION):
            return text
        text = self._tokens.without_odd(text)
        if "'" not in text and '"' not in text:
            return self._text(text, Sort.SENTENCE, "name")
        pieces: list[str] = []
        done = 0
        for match in _QUOTED.finditer(text):
            quoted = match[2]
            inside = self.value(quoted, "text") if _CHUNK.fullmatch(quoted) else self.line(quoted)
            pieces += (
                self._text(text[done : match.start()], Sort.SENTENCE, "name"),
                match[1],
                inside,
                match[3],
            )
            done = match.end()
        return "".join((*pieces, self._text(text[done:], Sort.SENTENCE, "name")))

    def address(self, text: str) -> str:
        """See `Words.address`."""
        return self._words.address(text)

    def field(self, name: str) -> str:
        """See `Words.field`."""
        return self._words.field(name)

    def name(self, text: str, kind: str) -> str:
        """Replace the whole of a field that holds one name, an address, or a name with an address behind it."""
        token = self._tokens.known(text)
        if token is not None:
            return token
        if address_in(text):
            return self.value(text, kind)
        bare = text.rstrip(".")
        if bare and (kind == "host" or HOST.fullmatch(text)):
            return self._tokens.of(bare, "host") + text[len(bare) :]
        return self._tokens.of(text, kind)

    def key(self, text: str) -> str:
        """Replace a label's key, which may have its source before it (``k8s:team``); a well-known key stays."""
        if is_common_key(text):
            return text
        source = next((one for one in LABEL_SOURCES if text.startswith(one)), "")
        rest = text[len(source) :]
        return source + self._tokens.of(rest, "key") if source and rest.isdigit() else self.value(text, "key")

    # -- words and where they stand -------------------------------------------------------------------------

    def _text(self, text: str, sort: Sort, kind: str) -> str:
        pieces: list[str] = []
        done = 0
        before = earlier = ""
        for match in _CHUNK.finditer(text):
            word = match[0]
            start, end = match.span()
            place = place_of(text, start, end, before, earlier)
            if place is Place.BRACKETS:
                place = Place.OPEN if sort is Sort.RECORD else Place.COUNT
            if sort is Sort.SENTENCE and place is Place.COUNT and text[start - 1] == "=":
                place = (
                    Place.NAME
                )  # a label's value: the only other things that sentences write so are options
            if sort is Sort.SENTENCE and place is Place.OPEN:
                core = word.rstrip(ENDS)
                if self._tokens.is_bare(core) and stands_bare(
                    text, start, start + len(core), before, earlier
                ):
                    place = Place.BEHIND_KIND
                elif is_number(word) and is_kind(earlier) and self._tokens.known(word):
                    # "AdminNetworkPolicy tenant 7": a rule's name behind its policy's
                    place = Place.BEHIND_KIND
            if (
                sort is Sort.SENTENCE
                and before in _FLAGS
                and not is_number(word)
                and self._tokens.known(word) is None
            ):
                place = Place.OPEN  # advice names namespaces that are the same everywhere: -n calico-system
            if (
                sort is not Sort.SENTENCE
                and before.rstrip(":") in CALLED
                and is_number(word)
                and text[start - 1] == " "
            ):
                place = Place.BEHIND_KIND
            if sort is Sort.SENTENCE and before in PROBES and word not in OWN_HOSTS:
                shown = self.value(word, "host")
            elif sort is Sort.RECORD and place is Place.OPEN and _counts(text, word, start):
                shown = word
            elif (
                sort is Sort.RECORD and PORT_BEHIND.fullmatch(word) and text[start - 1 : start] not in _CLOSES
            ):
                shown = f":{self._words.word(word[1:], Place.OPEN, sort, kind)}"
            else:
                shown = self._words.word(word, place, sort, kind)
            pieces += (text[done:start], shown)
            earlier, before, done = before, word, end
        pieces.append(text[done:])
        return "".join(pieces)


def _counts(text: str, word: str, start: int) -> bool:
    """Whether a word is a number, apart from marks around it, and the record it stands in shows what it counts."""
    core = word.strip(ENDS)
    at = start + word.index(core)
    number = LONG.fullmatch(core) is not None or (is_number(core) and may_be_called(core))
    return number and is_counted(text, at, at + len(core))
