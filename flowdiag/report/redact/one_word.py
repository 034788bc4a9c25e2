"""One word of a text: whether it is somebody's name, and what stands in its place then.

Where a word stands (`flowdiag.report.redact.places`) and whose text it is in (`Sort`) decide what may be a name.
"""

from __future__ import annotations

import re
from enum import IntEnum

from flowdiag.report.redact.forms import (
    ACL_NAME,
    FIELD,
    HOST,
    MAC,
    PORT,
    PORT_BEHIND,
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
from flowdiag.report.redact.places import Place
from flowdiag.report.redact.tokens import Tokens
from flowdiag.report.redact.words import (
    ENTITIES,
    is_format_word,
    is_kind,
    is_number,
    is_pair,
    is_sentence_word,
    may_be_called,
)

__all__ = ["ENDS", "LABEL_SOURCES", "LONG", "OWN_HOSTS", "Sort", "Words"]

ENDS = ".-_+~^$:@#%/"
"""Marks that may stand around a name and are none of it."""
LABEL_SOURCES = ("k8s:", "any:", "reserved:", "cidr:", "fqdn:", "container:")
"""What Cilium writes before a label's key."""
OWN_HOSTS = frozenset({"kubernetes.default.svc.cluster.local"})
"""Hosts that every cluster has."""
# 1767607200 in seconds, 1767607200123456789 in nanoseconds
LONG = re.compile(r"[0-9]{10,19}")
_SEPARATORS = ("://", "/", "|", ":", "@", "#", "%")
_PROTOCOLS = frozenset({"TCP", "UDP", "SCTP", "ICMP", "ICMPv6", "ANY"})
# resource=knp/frontend/default-deny (cilium-agent, v1.18): a kind before namespace and name
_REFERENCES = frozenset({"knp", "cnp", "networkpolicy", "ciliumnetworkpolicy"})
# AntreaNetworkPolicy:shop/web, AdminNetworkPolicy:/tenant (Antrea, v2.2)
_REFERENCE = re.compile(r"([A-Za-z0-9]{1,40}Policy):(\S+)")
_ZONE = frozenset({"svc", "cluster", "local"})
_IMAGES = frozenset({"nicolaka/netshoot"})


class Sort(IntEnum):
    """Whose text it is."""

    SENTENCE = 0
    LINE = 1
    RECORD = 2


class Words:
    """The words of one report, with the tokens of its names."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._seen: dict[tuple[str, Place, Sort, str], str] = {}
        self._addresses: dict[str, str] = {}

    def forget(self) -> None:
        """Forget what words came to, since more names are known now."""
        self._seen.clear()

    def word(self, word: str, place: Place, sort: Sort, kind: str) -> str:
        """Give a word as it is shown.

        Args:
            word: without space in it.
            place: where it stands.
            sort: whose text it stands in.
            kind: what a name is taken for that nobody knows: ``pod``, ``key``, ``text`` ...
        """
        key = (word, place, sort, kind)
        shown = self._seen.get(key)
        if shown is None:
            shown = self._seen[key] = self._replaced(word, place, sort, kind)
        return shown

    def address(self, text: str) -> str:
        """Replace an address, or the address of a range, whose width stays."""
        shown = self._addresses.get(text)
        if shown is None:
            address, slash, width = text.partition("/")
            whole = spelt(address)
            kind = "mac" if MAC.fullmatch(address) else "ip6" if ":" in whole else "ip4"
            shown = self._addresses[text] = self._tokens.of(whole, kind) + slash + width
        return shown

    def _replaced(self, word: str, place: Place, sort: Sort, kind: str) -> str:
        if self._tokens.made(word) or PORT_BEHIND.fullmatch(word):
            return word
        if is_number(word) and not (sort is Sort.RECORD and is_pair(word)):
            return self._number(word, place, sort, kind)
        if place is Place.COUNT:
            if LONG.fullmatch(word):
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
        core = word.strip(ENDS)
        if core != word:
            head, _, tail = word.partition(core)
            beside = head.endswith("/") or tail.startswith("/")
            return (
                head + (self.word(core, Place.NAME if beside else place, sort, kind) if core else "") + tail
            )
        return self._joined(word, place, sort, kind)

    def _number(self, word: str, place: Place, sort: Sort, kind: str) -> str:
        """A number, which may be a name: a namespace may be called 8080.

        Where names stand it is one, and where something is counted it is none.  Other places do not tell.  There
        every number of a record is taken for a name, and in a line each that was met as a name elsewhere.  In a
        sentence a number is a name only if it was met as one, or stands behind its kind.
        """
        token = self._tokens.known(word)
        if place is Place.COUNT or not may_be_called(word):
            return token or word if place in (Place.NAME, Place.BEHIND_KIND) else word
        if place in (Place.OPEN, Place.TARGET):
            if sort is Sort.SENTENCE and "." in word and all(map(self._tokens.known, word.split("."))):
                return self._tokens.of(word, "host")  # a Service and its namespace
            if sort is Sort.RECORD:
                return self._tokens.of(word, kind)
            return token or word if sort is Sort.LINE else word
        return (
            self._tokens.of(word, kind)
            if sort is not Sort.SENTENCE or place is Place.BEHIND_KIND
            else token or word
        )

    def _part(self, word: str, place: Place, sort: Sort, kind: str) -> str:
        return self.word(word, place, sort, kind) if word else word

    def _as_key(self, word: str, sort: Sort, label: bool) -> str:
        """A label's key, or the name of a field of a line: ``PROTO=``, ``dl_src=``."""
        if is_common_key(word) or word.startswith("--"):
            return word
        source = next((one for one in LABEL_SOURCES if word.startswith(one)), "")
        if sort is not Sort.SENTENCE and not label and not source and FIELD.fullmatch(word):
            return self.field(word)
        bare = word[len(source) :]
        if sort is Sort.SENTENCE and not source and self._tokens.known(bare) is None:
            return word
        return source + self._tokens.of(bare, "key")

    def field(self, name: str) -> str:
        """Replace a field's name where it is somebody's name too, unless the formats use that word."""
        token = self._tokens.known(name)
        schema = is_sentence_word(name) or is_enum_key(name) or is_message_key(name)
        # A word that was met as plain text or as a key, such as "IP" in a message, is not a name for that.
        return name if token is None or schema or token.startswith(("text-", "key-")) else token

    def _joined(self, word: str, place: Place, sort: Sort, kind: str) -> str:
        if place is Place.NAME:
            acl = ACL_NAME.fullmatch(word)
            if acl is not None:
                names = ":".join(self.word(name, place, sort, kind) for name in acl.group(2, 3, 4) if name)
                return f"{acl[1]}:{names}{acl[5]}"
            source = next((one for one in LABEL_SOURCES if word.startswith(one)), "")
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
        reference = _REFERENCE.fullmatch(word) if sort is not Sort.SENTENCE else None
        if reference is not None and is_format_word(reference[1]):
            return f"{reference[1]}:{self.word(reference[2], Place.NAME, sort, kind)}"
        if any(separator in word for separator in _SEPARATORS):
            return self._split(word, place, sort, kind)
        if place is Place.NAME:
            return self._tokens.of(word, "host" if HOST.fullmatch(word) else kind)
        if "." in word and (is_common_group(word) or is_common_key(word)):
            return word
        if place is Place.BEHIND_KIND and not is_sentence_word(word):
            return self._tokens.of(word, kind)
        return self._single(word, sort, kind)

    def _split(self, word: str, place: Place, sort: Sort, kind: str) -> str:
        separator = next(one for one in _SEPARATORS if one in word)
        parts = word.split(separator)
        if separator == "/":
            if place is not Place.NAME and sort is Sort.SENTENCE and not self._has_name(word, parts, place):
                return "/".join(parts)
            if place is Place.TARGET or (len(parts) == 3 and parts[0] in _REFERENCES):
                return (
                    f"{parts[0]}/{'/'.join(self._part(part, Place.NAME, sort, kind) for part in parts[1:])}"
                )
            named = max(sort, Sort.LINE) if place in (Place.BEHIND_KIND, Place.TARGET) else sort
            return "/".join(self._beside(part, at > 0, named, kind) for at, part in enumerate(parts))
        *_, before, last = parts
        if separator == ":" and re.fullmatch("[0-9]{1,5}", last):
            parts.pop()
            last = self._part(last, self._behind_colon(before, sort), sort, kind)
            return separator.join((*(self._part(part, place, sort, kind) for part in parts), last))
        return separator.join(self._part(part, place, sort, kind) for part in parts)

    def _behind_colon(self, before: str, sort: Sort) -> Place:
        """Tell what a number is that follows a word and a colon.

        It is a name in ``Namespace:1234``, a count in ``content.example.net:443`` and ``file.go:195``; ``x:7`` does
        not tell.
        """
        if is_name_key(before) or is_kind(before):
            return Place.NAME
        host = "." in before and not is_number(before)
        counted = sort is Sort.SENTENCE or host or is_count_key(before) or self._tokens.made(before)
        # A port follows a host, an address or, with a namespace, a pod; any other word says nothing.
        return Place.COUNT if counted else Place.OPEN

    def _has_name(self, word: str, parts: list[str], place: Place) -> bool:
        """Whether ``a/b`` in a sentence holds a name, and is not "and/or" or an image."""
        if word in _IMAGES:
            return False
        if place in (Place.BEHIND_KIND, Place.TARGET):
            return True
        if all(map(is_number, parts)):  # 2/3: two of three
            return all(map(self._tokens.known, parts))
        return any(self._tokens.known(part.strip(ENDS)) or ("-" in part and part.islower()) for part in parts)

    def _beside(self, part: str, behind: bool, sort: Sort, kind: str) -> str:
        """What stands before or behind a slash: a protocol, or a name, which may have a port if it stands behind."""
        if part in _PROTOCOLS:
            return part
        name, colon, port = part.rpartition(":")
        if behind and name and PORT_BEHIND.fullmatch(colon + port):
            return self.word(name, Place.NAME, sort, kind) + colon + port
        return self._part(part, Place.NAME, sort, kind)

    def _single(self, word: str, sort: Sort, kind: str) -> str:
        if sort is not Sort.SENTENCE:
            return word if is_sentence_word(word) else self._tokens.of(word, kind)
        if HOST.fullmatch(word):
            labels = word.split(".")
            named = any(self._tokens.known(label) for label in labels)
            if word in OWN_HOSTS or (
                not named and all(is_sentence_word(label) or label in _ZONE for label in labels)
            ):
                return word
            return self._tokens.of(word, "host")
        # web.a, a Service in a namespace of one letter, is no host to `HOST`: no top-level domain is that short.
        if "." in word and all(map(self._tokens.known, word.split("."))):
            return self._tokens.of(word, "host")
        if self._tokens.holds_known(word):
            return self._tokens.of(word, kind)
        return word
