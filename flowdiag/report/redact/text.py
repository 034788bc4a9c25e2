"""Texts word by word: where names stand, and what stays.

Four sorts of text.  A *value* is a name's place: every word of it goes.  A *line* is a stranger's: words of
the formats stay where no name stands.  A *record* is a line of evidence: numbers stay only where its format has
none but such as count.  A *sentence* is flowdiag's own: names that were met go, wherever they are; those that are
words of sentences too only where names stand.  Names stand beside ``/``, behind ``=``, in
quotes or brackets, and behind their kind.
"""

from __future__ import annotations

import re
from enum import IntEnum

from flowdiag.report.redact.counted import is_counted
from flowdiag.report.redact.forms import (
    ACL_NAME,
    FIELD,
    HOST,
    MAC,
    POLICY_HIT,
    PORT,
    PORT_BEHIND,
    SYSLOG_TIME,
    WIDTH,
    address_in,
    spelt,
)
from flowdiag.report.redact.keys import (
    is_common_group,
    is_common_key,
    is_count_key,
    is_enum_key,
    is_message_key,
    is_name_key,
)
from flowdiag.report.redact.places import CALLED, PROBES, Place, place_of, stands_bare
from flowdiag.report.redact.tokens import Tokens
from flowdiag.report.redact.words import (
    CHUNK,
    ENTITIES,
    is_format_word,
    is_kind,
    is_number,
    is_pair,
    is_sentence_word,
    may_be_called,
)

__all__ = ["Texts"]

_CHUNK = re.compile(CHUNK)
# As Python writes them: 'app == \'web\' && team == "a"'; what has no end goes on to the text's
_QUOTED = re.compile(r"(?<!\w)(['\"])((?:\\.|[^\\])*?)(\1(?!\w)|\\?\Z)", re.DOTALL)
_CLOSES = ("]", ")", ">")
"""What a port's colon follows where it does not follow a word."""
_ENDS = ".-_+~^$:@#%/"
_SEPARATORS = ("://", "/", "|", ":", "@", "#", "%")
_PROTOCOLS = frozenset({"TCP", "UDP", "SCTP", "ICMP", "ICMPv6", "ANY"})
_LABEL_SOURCES = ("k8s:", "any:", "reserved:", "cidr:", "fqdn:", "container:")
_OWN_HOSTS = frozenset({"kubernetes.default.svc.cluster.local"})
# resource=knp/frontend/default-deny (cilium-agent, v1.18): a kind before namespace and name
_REFERENCES = frozenset({"knp", "cnp", "networkpolicy", "ciliumnetworkpolicy"})
# AntreaNetworkPolicy:shop/web, AdminNetworkPolicy:/tenant (Antrea, v2.2)
_REFERENCE = re.compile(r"([A-Za-z0-9]{1,40}Policy):(\S+)")
_ZONE = frozenset({"svc", "cluster", "local"})
# 1767607200 in seconds, 1767607200123456789 in nanoseconds
_LONG = re.compile(r"[0-9]{10,19}")
_FLAGS = frozenset({"-n", "--namespace"})
_IMAGES = frozenset({"nicolaka/netshoot"})
_DOCUMENTATION = (
    "https://kubernetes.io/",
    "https://docs.cilium.io/",
    "https://docs.tigera.io/",
    "https://github.com/",
)


class _Sort(IntEnum):
    """Whose text it is."""

    SENTENCE = 0
    LINE = 1
    RECORD = 2


class Texts:
    """The texts of one report, with the tokens of its names."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._seen: dict[tuple[str, Place, _Sort, str], str] = {}
        # A report says few things often: of a million texts some ten thousand are different.
        self._values: dict[tuple[str, str], str] = {}
        self._values_at = 0
        """What was known of names that `value` looks for besides its words."""
        self._lines: dict[tuple[str, _Sort, str], str] = {}
        self._lines_at = (0, 0)
        """What was known of names at all."""
        self._addresses: dict[str, str] = {}

    def forget(self) -> None:
        """More names are known now: words are to be looked at again."""
        self._seen.clear()
        self._values.clear()
        self._lines.clear()

    # -- the sorts of text ------------------------------------------------------------------------------------

    def value(self, text: str, kind: str) -> str:
        """Every word is a name's, but for addresses (which have tokens of their own), ports and known keys."""
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
            lambda match: self._word(
                match[0],
                Place.LABEL if text[match.end() : match.end() + 1] == "=" else Place.NAME,
                _Sort.LINE,
                kind,
            ),
            text,
        )

    def line(self, text: str, kind: str = "text") -> str:
        """Any text of strangers; a number in it is taken for a name if it is one elsewhere."""
        return self._line(text, _Sort.LINE, kind)

    def record(self, text: str) -> str:
        """A line of a log; a number in it is taken for a name unless the line shows what it counts."""
        return self._line(text, _Sort.RECORD, "text")

    def _line(self, text: str, sort: _Sort, kind: str) -> str:
        if self._lines_at != self._tokens.met:
            self._lines.clear()
            self._lines_at = self._tokens.met
        shown = self._lines.get((text, sort, kind))
        if shown is None:
            shown = self._lines[text, sort, kind] = self._stranger(text, sort, kind)
        return shown

    def _stranger(self, text: str, sort: _Sort, kind: str) -> str:
        time = SYSLOG_TIME.match(text)
        head = time[0] if time is not None else ""
        return head + self._text(self._tokens.without_odd(text[len(head) :]), sort, kind)

    def sentence(self, text: str) -> str:
        """What flowdiag itself wrote; quotes hold a stranger's text there."""
        if text.startswith(_DOCUMENTATION):
            return text
        text = self._tokens.without_odd(text)
        if "'" not in text and '"' not in text:
            return self._text(text, _Sort.SENTENCE, "name")
        pieces: list[str] = []
        done = 0
        for match in _QUOTED.finditer(text):
            quoted = match[2]
            inside = self.value(quoted, "text") if _CHUNK.fullmatch(quoted) else self.line(quoted)
            pieces += (
                self._text(text[done : match.start()], _Sort.SENTENCE, "name"),
                match[1],
                inside,
                match[3],
            )
            done = match.end()
        return "".join((*pieces, self._text(text[done:], _Sort.SENTENCE, "name")))

    def address(self, text: str) -> str:
        """An address or range; the width stays."""
        shown = self._addresses.get(text)
        if shown is None:
            address, slash, width = text.partition("/")
            whole = spelt(address)
            kind = "mac" if MAC.fullmatch(address) else "ip6" if ":" in whole else "ip4"
            shown = self._addresses[text] = self._tokens.of(whole, kind) + slash + width
        return shown

    def name(self, text: str, kind: str) -> str:
        """A field that holds one name, or an address, or a name with an address behind it."""
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
        """A label's key, perhaps with its source: ``k8s:1234``."""
        if is_common_key(text):
            return text
        source = next((one for one in _LABEL_SOURCES if text.startswith(one)), "")
        rest = text[len(source) :]
        return source + self._tokens.of(rest, "key") if source and rest.isdigit() else self.value(text, "key")

    # -- words and where they stand -------------------------------------------------------------------------

    def _text(self, text: str, sort: _Sort, kind: str) -> str:
        pieces: list[str] = []
        done = 0
        before = earlier = ""
        for match in _CHUNK.finditer(text):
            word = match[0]
            start, end = match.span()
            place = place_of(text, start, end, before, earlier)
            if place is Place.BRACKETS:
                place = Place.OPEN if sort is _Sort.RECORD else Place.COUNT
            if not sort and place is Place.COUNT and text[start - 1] == "=":
                place = Place.NAME  # of a label: what else sentences write so are options
            if not sort and place is Place.OPEN:
                core = word.rstrip(_ENDS)
                if self._tokens.is_bare(core) and stands_bare(
                    text, start, start + len(core), before, earlier
                ):
                    place = Place.BEHIND_KIND
                elif is_number(word) and is_kind(earlier) and self._tokens.known(word):
                    # "AdminNetworkPolicy tenant 7": a rule's name behind its policy's
                    place = Place.BEHIND_KIND
            if not sort and before in _FLAGS and not is_number(word) and self._tokens.known(word) is None:
                place = Place.OPEN  # advice names namespaces that are the same everywhere: -n calico-system
            if sort and before.rstrip(":") in CALLED and is_number(word) and text[start - 1] == " ":
                place = Place.BEHIND_KIND
            if not sort and before in PROBES and word not in _OWN_HOSTS:
                shown = self.value(word, "host")
            elif sort is _Sort.RECORD and place is Place.OPEN and _counts(text, word, start):
                shown = word
            elif (
                sort is _Sort.RECORD
                and PORT_BEHIND.fullmatch(word)
                and text[start - 1 : start] not in _CLOSES
            ):
                shown = f":{self._word(word[1:], Place.OPEN, sort, kind)}"
            else:
                shown = self._word(word, place, sort, kind)
            pieces += (text[done:start], shown)
            earlier, before, done = before, word, end
        pieces.append(text[done:])
        return "".join(pieces)

    def _word(self, word: str, place: Place, sort: _Sort, kind: str) -> str:
        key = (word, place, sort, kind)
        shown = self._seen.get(key)
        if shown is None:
            shown = self._seen[key] = self._replaced(word, place, sort, kind)
        return shown

    def _replaced(self, word: str, place: Place, sort: _Sort, kind: str) -> str:
        if self._tokens.made(word) or PORT_BEHIND.fullmatch(word):
            return word
        if is_number(word) and not (sort is _Sort.RECORD and is_pair(word)):
            return self._number(word, place, sort, kind)
        if place is Place.COUNT:
            if _LONG.fullmatch(word):
                return word
            place = Place.NAME
        token = self._tokens.known(word)
        if token is not None and (
            place in (Place.NAME, Place.BEHIND_KIND) or (place is Place.OPEN and not is_sentence_word(word))
        ):
            return token
        match = address_in(word)
        if match is not None:
            rest = word[match.end() :]
            return (
                self._part(word[: match.start()], place, sort, kind)
                + self.address(match[0])
                + (rest if WIDTH.fullmatch(rest) else self._part(rest, place, sort, kind))
            )
        if place in (Place.KEY, Place.LABEL):
            return self._as_key(word, sort, place is Place.LABEL)
        core = word.strip(_ENDS)
        if core != word:
            head, _, tail = word.partition(core)
            beside = head.endswith("/") or tail.startswith("/")
            return (
                head + (self._word(core, Place.NAME if beside else place, sort, kind) if core else "") + tail
            )
        return self._joined(word, place, sort, kind)

    def _number(self, word: str, place: Place, sort: _Sort, kind: str) -> str:
        """A namespace may be called 8080: that is one where names stand, and a port or a count elsewhere.

        In a stranger's text many a place does not tell: what is a name elsewhere is taken for one there, and in a
        record every number.  In a sentence names are such as were met, or stand behind their kind.
        """
        token = self._tokens.known(word)
        if place is Place.COUNT or not may_be_called(word):
            return token or word if place in (Place.NAME, Place.BEHIND_KIND) else word
        if place in (Place.OPEN, Place.TARGET):
            if not sort and "." in word and all(map(self._tokens.known, word.split("."))):
                return self._tokens.of(word, "host")  # a Service and its namespace
            return self._tokens.of(word, kind) if sort is _Sort.RECORD else (sort and token) or word
        return self._tokens.of(word, kind) if sort or place is Place.BEHIND_KIND else token or word

    def _part(self, word: str, place: Place, sort: _Sort, kind: str) -> str:
        return self._word(word, place, sort, kind) if word else word

    def _as_key(self, word: str, sort: _Sort, label: bool) -> str:
        """A label's key, or a field of a line: ``PROTO=``, ``dl_src=``."""
        if is_common_key(word) or word.startswith("--"):
            return word
        source = next((one for one in _LABEL_SOURCES if word.startswith(one)), "")
        if sort and not label and not source and FIELD.fullmatch(word):
            return self.field(word)
        bare = word[len(source) :]
        if not sort and not source and self._tokens.known(bare) is None:
            return word
        return source + self._tokens.of(bare, "key")

    def field(self, name: str) -> str:
        """A field of an export; somebody's name there is replaced, unless formats use that word."""
        token = self._tokens.known(name)
        schema = is_sentence_word(name) or is_enum_key(name) or is_message_key(name)
        # "IP" was met in a message, and is no name for that.
        return name if token is None or schema or token.startswith(("text-", "key-")) else token

    def _joined(self, word: str, place: Place, sort: _Sort, kind: str) -> str:
        if place is Place.NAME:
            acl = ACL_NAME.fullmatch(word)
            if acl is not None:
                names = ":".join(self._word(name, place, sort, kind) for name in acl.group(2, 3, 4) if name)
                return f"{acl[1]}:{names}{acl[5]}"
            source = next((one for one in _LABEL_SOURCES if word.startswith(one)), "")
            if source and not word[len(source) :].isdigit():
                rest = word[len(source) :]
                stays = source == "reserved:" and rest in ENTITIES
                return source + (rest if stays else self._part(rest, place, sort, kind))
            if word.startswith(("http://", "https://")):
                scheme, _, rest = word.partition("://")
                return f"{scheme}://{self._part(rest, place, sort, kind)}"
        elif is_common_key(word) and "/" in word:
            return word
        if PORT.fullmatch(word):
            return word
        reference = _REFERENCE.fullmatch(word) if sort else None
        if reference is not None and is_format_word(reference[1]):
            return f"{reference[1]}:{self._word(reference[2], Place.NAME, sort, kind)}"
        if any(separator in word for separator in _SEPARATORS):
            return self._split(word, place, sort, kind)
        if place is Place.NAME:
            return self._tokens.of(word, "host" if HOST.fullmatch(word) else kind)
        if "." in word and (is_common_group(word) or is_common_key(word)):
            return word
        if place is Place.BEHIND_KIND and not is_sentence_word(word):
            return self._tokens.of(word, kind)
        return self._single(word, sort, kind)

    def _split(self, word: str, place: Place, sort: _Sort, kind: str) -> str:
        separator = next(one for one in _SEPARATORS if one in word)
        parts = word.split(separator)
        if separator == "/":
            if place is not Place.NAME and not sort and not self._has_name(word, parts, place):
                return "/".join(parts)
            if place is Place.TARGET or (len(parts) == 3 and parts[0] in _REFERENCES):
                return (
                    f"{parts[0]}/{'/'.join(self._part(part, Place.NAME, sort, kind) for part in parts[1:])}"
                )
            named = max(sort, _Sort.LINE) if place in (Place.BEHIND_KIND, Place.TARGET) else sort
            return "/".join(self._beside(part, at > 0, named, kind) for at, part in enumerate(parts))
        *_, before, last = parts
        if separator == ":" and re.fullmatch("[0-9]{1,5}", last):
            parts.pop()
            last = self._part(last, self._behind_colon(before, sort), sort, kind)
            return separator.join((*(self._part(part, place, sort, kind) for part in parts), last))
        return separator.join(self._part(part, place, sort, kind) for part in parts)

    def _behind_colon(self, before: str, sort: _Sort) -> Place:
        """Where a number stands that follows a word and a colon: Namespace:1234, content.example.net:443, file.go:195, x:7."""
        if is_name_key(before) or is_kind(before):
            return Place.NAME
        host = "." in before and not is_number(before)
        counted = not sort or host or is_count_key(before) or self._tokens.made(before)
        # A port follows a host, an address or, with a namespace, a pod; any other word says nothing.
        return Place.COUNT if counted else Place.OPEN

    def _has_name(self, word: str, parts: list[str], place: Place) -> bool:
        """Whether ``a/b`` in a sentence is a name and not "and/or" or an image."""
        if word in _IMAGES:
            return False
        if place in (Place.BEHIND_KIND, Place.TARGET):
            return True
        if all(map(is_number, parts)):  # two of three: 2/3
            return all(map(self._tokens.known, parts))
        return any(
            self._tokens.known(part.strip(_ENDS)) or ("-" in part and part.islower()) for part in parts
        )

    def _beside(self, part: str, behind: bool, sort: _Sort, kind: str) -> str:
        """What stands beside a slash: a name, behind it perhaps with a port, or a protocol."""
        if part in _PROTOCOLS:
            return part
        name, colon, port = part.rpartition(":")
        if behind and name and PORT_BEHIND.fullmatch(colon + port):
            return self._word(name, Place.NAME, sort, kind) + colon + port
        return self._part(part, Place.NAME, sort, kind)

    def _single(self, word: str, sort: _Sort, kind: str) -> str:
        if sort:
            return word if is_sentence_word(word) else self._tokens.of(word, kind)
        if HOST.fullmatch(word):
            labels = word.split(".")
            named = any(self._tokens.known(label) for label in labels)
            if word in _OWN_HOSTS or (
                not named and all(is_sentence_word(label) or label in _ZONE for label in labels)
            ):
                return word
            return self._tokens.of(word, "host")
        # A Service in a namespace of one letter: no top-level domain is that short.
        if "." in word and all(map(self._tokens.known, word.split("."))):
            return self._tokens.of(word, "host")
        if self._tokens.holds_known(word):
            return self._tokens.of(word, kind)
        return word


def _counts(text: str, word: str, start: int) -> bool:
    """Whether a word of a record is a number, but for marks around it, and the record shows what it counts."""
    core = word.strip(_ENDS)
    at = start + word.index(core)
    number = _LONG.fullmatch(core) is not None or (is_number(core) and may_be_called(core))
    return number and is_counted(text, at, at + len(core))
