"""A report without anybody's names: the same story, to be sent outside.

Addresses, names of namespaces, workloads, pods, nodes, policies and hosts, labels, file names and the
evidence lines are replaced by tokens.  One name is always one token and two names are never the same
one; tokens are numbered as the report is read, so that the same report gives the same tokens.  Counts,
times, ports, codes, kinds and identities' numbers stay.  What stays besides are words of the schemas
and well-known label keys (`flowdiag.report.redact_words`); ids and fingerprints stay as well, so that
two redacted reports can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from flowdiag.model.report import Report
from flowdiag.report.redact_accepted import without_owners
from flowdiag.report.redact_words import is_common, is_common_group, is_common_key

__all__ = ["redact"]

# 10.244.1.28, 10.244.0.0/16, fe80::1, 2001:db8::/32, ::ffff:10.0.0.1; MAC 0e:5d:2c:41:90:7b
_IPV4 = r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\w)"
_MAC = r"(?<![\w:])(?:[0-9A-Fa-f]{2}:){5}(?:[0-9A-Fa-f]{2})(?:(?::[0-9A-Fa-f]{2}){8})?(?![\w:])"
_IPV6 = r"(?<![\w:])(?=[0-9A-Fa-f:.]{2,45}(?![\w:]))(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9A-Fa-f]{0,4}|(?:\d{1,3}\.){3}\d{1,3})(?![\w:])"
_ADDRESS = re.compile(f"{_IPV4}|{_MAC}|{_IPV6}")
# user-api.backend.svc.cluster.local, content.example.net
_HOST = re.compile(r"(?<![\w.-])(?:[\w-]{1,63}\.){1,8}[A-Za-z][\w-]{1,62}(?![\w-]|\.\w)")
_WORD = re.compile(r"[^\s\"'`=,;()\[\]{}<>|&?!*\\]+")
_QUOTED = re.compile(r"(?<!\w)(['\"])(.{0,300}?)\1(?!\w)", re.DOTALL)
# A manifest's or patch's line: "+          kubernetes.io/metadata.name: kube-system", "      - 10.0.0.0/8"
_YAML = re.compile(r"([+\- @]?\s*(?:- )*)(?:([^\s:#][^:#]*?|[^\s:#]*:[^\s:]+)(:)(?=\s|$))?(\s*)(.*)")

# Field names of exports: traffic_direction, IP, l4, source_port; what else stands as a key is somebody's.
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9]{0,30}(?:_[A-Za-z0-9]{1,30}){0,8}")

_ANYWHERE = 6
"""Names at least so long are replaced inside longer words too; shorter ones only as words."""
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
"""What goes on a word: a short name between others of these is another word's part."""
_MAX_RAW = 20_000

_DOCUMENTATION = (
    "https://kubernetes.io/",
    "https://docs.cilium.io/",
    "https://docs.tigera.io/",
    "https://github.com/",
)


class _Tokens:
    """Names and what stands for them.

    Names are found in texts by their first characters, so that what a text costs follows its length and
    not how many names there are.
    """

    def __init__(self, everything: str) -> None:
        self._by_name: dict[str, str] = {}
        self._by_start: dict[str, list[str]] = {}
        """First `_ANYWHERE` characters -> the long names that start so, the longest first."""
        self._short: dict[str, list[str]] = {}
        """First character -> the short names that start so, the longest first."""
        # A token must not be an original name itself: the tag grows until no text holds it.
        tag = "r"
        while re.search(rf"-{tag}[0-9]", everything):
            tag += "r"
        self._tag = tag

    def take(self, name: str, kind: str) -> str:
        """The token of `name`; words that say nothing stay."""
        token = self._by_name.get(name)
        if token is None:
            if not name or is_common(name):
                return name
            token = self._by_name[name] = f"{kind}-{self._tag}{len(self._by_name) + 1}"
            if len(name) >= _ANYWHERE:
                alike = self._by_start.setdefault(name[:_ANYWHERE], [])
            else:
                alike = self._short.setdefault(name[0], [])
            alike.append(name)
            alike.sort(key=len, reverse=True)
        return token

    def made(self, text: str) -> bool:
        """Whether `text` is a token."""
        return re.fullmatch(rf"[a-z0-9]+-{self._tag}[0-9]+", text) is not None

    def replaced(self, text: str) -> str:
        """`text` with every known name replaced, the longest first, in one pass."""
        pieces: list[str] = []
        done, at, size = 0, 0, len(text)
        long, short = self._by_start, self._short
        while at < size:
            if (names := long.get(text[at : at + _ANYWHERE])) is not None:
                name = next((name for name in names if text.startswith(name, at)), None)
            else:
                name = None
            if (
                name is None
                and (names := short.get(text[at])) is not None
                and (at == 0 or text[at - 1] not in _LETTERS)
            ):
                name = next((name for name in names if _is_word(name, text, at)), None)
            if name is None:
                at += 1
                continue
            pieces += (text[done:at], self._by_name[name])
            done = at = at + len(name)
        return "".join((*pieces, text[done:]))


def _is_word(name: str, text: str, at: int) -> bool:
    """Whether `name` stands at `at` and does not go on behind."""
    end = at + len(name)
    return text.startswith(name, at) and (end == len(text) or text[end] not in _LETTERS)


def redact(report: Report) -> Report:
    """The report with names, addresses and labels as tokens; schema, numbers and times as they were."""
    tree = msgspec.to_builtins(without_owners(report))
    everything = "\n".join(_strings(tree))
    redactor = _Redactor(_Tokens(everything))
    # Twice: the first pass meets every name, the second also finds it in texts that stood before it.
    redactor.walk(tree, "", ())
    return msgspec.convert(redactor.walk(tree, "", ()), Report)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


_KINDS = {
    "namespace": "ns",
    "name": "name",
    "pods": "pod",
    "node": "node",
    "reference": "node",
    "path": "input",
    "input": "input",
    "source": "input",
    "by": "by",
    "dns_names": "host",
}
"""Fields that are names, and what their tokens start with."""

_TEXTS = {
    "title",
    "advice",
    "text",
    "what",
    "message",
    "summary",
    "notes",
    "verify",
    "rule",
    "raw",
    "src",
    "dst",
    "references",
}
_YAMLS = {"manifests", "patch", "manifest"}
_WORDS = {"wanted", "found"}
_OWN = {"generator", "parsers"}
"""Names of flowdiag and its plugins."""


class _Redactor:
    def __init__(self, tokens: _Tokens) -> None:
        self._tokens = tokens

    def walk(self, value: Any, key: str, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            if key == "labels":
                return {self._label_key(name): self._words(item, "label") for name, item in value.items()}
            if key == "by_problem":
                return value
            if key == "by_node":
                return {self._tokens.take(name, "node"): row for name, row in value.items()}
            return {name: self.walk(item, name, (*path, key)) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.walk(item, key, path) for item in value]
        return self._string(value, key, path) if isinstance(value, str) else value

    def _string(self, value: str, key: str, path: tuple[str, ...]) -> str:
        if path and path[-1] in _OWN:
            return value
        if key == "raw" and path[-1] == "evidence":
            return self._raw(value)
        if key in _KINDS:
            return self._name(value, _KINDS[key])
        if key == "ips":
            return self._address(value)
        if key == "group":
            return value if is_common_group(value) else self._tokens.take(value, "group")
        if key in _WORDS:
            return self._words(value, "label")
        if key in _YAMLS:
            return self._yaml(value)
        if key in _TEXTS:
            return self._text(value)
        return value

    def _name(self, value: str, kind: str) -> str:
        if _ADDRESS.search(value):
            return self._text(value)
        if kind == "host" or _HOST.fullmatch(value):
            return self._host(value)
        return self._tokens.take(value, kind)

    def _host(self, value: str) -> str:
        bare = value.rstrip(".")
        return self._tokens.take(bare, "host") + value[len(bare) :]

    def _address(self, value: str) -> str:
        address, slash, width = value.partition("/")
        kind = "mac" if re.fullmatch(_MAC, address) else "ip6" if ":" in address else "ip4"
        return self._tokens.take(address, kind) + slash + width

    def _label_key(self, key: str) -> str:
        return key if is_common_key(key) else self._words(key, "key")

    def _text(self, value: str) -> str:
        """A sentence of flowdiag's own: known names, addresses, hosts, and what stands in quotes."""
        if value.startswith(_DOCUMENTATION):
            return value
        text = self._tokens.replaced(value)
        text = _ADDRESS.sub(lambda match: self._address(match[0]), text)
        text = _HOST.sub(lambda match: self._maybe_host(match[0]), text)
        return _QUOTED.sub(lambda match: f"{match[1]}{self._words(match[2], 'text')}{match[1]}", text)

    def _maybe_host(self, value: str) -> str:
        if is_common_key(f"{value}/") or is_common_group(value) or is_common_key(value):
            return value
        labels = value.split(".")
        if all(is_common(label) or self._is_token(label) or label in _CLUSTER_ZONE for label in labels):
            return value
        return self._host(value)

    def _is_token(self, text: str) -> bool:
        return self._tokens.made(text)

    def _words(self, value: str, kind: str) -> str:
        """Text of strangers: every word that is not common becomes a token."""
        return _WORD.sub(
            lambda match: self._word(match[0], kind), _ADDRESS.sub(lambda m: self._address(m[0]), value)
        )

    def _word(self, word: str, kind: str) -> str:
        # Groups without a dot ("batch", "apps") are names of namespaces as often.
        group = "." in word and is_common_group(word)
        if group or is_common(word) or is_common_key(word) or self._is_token(word):
            return word
        for separator in ("://", "/", ":", "@", "#", "%"):
            if separator in word:
                return separator.join(self._word(part, kind) for part in word.split(separator))
        core = word.strip(".-_+~^$")
        if not core or core == word:
            return self._tokens.take(word, kind) if core else word
        head, _, tail = word.partition(core)
        return head + self._word(core, kind) + tail

    def _yaml(self, value: str) -> str:
        lines = [self._yaml_line(line) for line in value.split("\n")]
        return "\n".join(lines)

    def _yaml_line(self, line: str) -> str:
        if line.startswith(("--- a/", "+++ b/", "@@ ")):
            return line[:6] + self._words(line[6:], "name")
        match = _YAML.fullmatch(line)
        if match is None:
            return self._words(line, "text")
        lead, key, colon, space, rest = match.groups(default="")
        name = key if is_common(key) or is_common_key(key) else self._words(key, "key")
        return f"{lead}{name}{colon}{space}{self._words(rest, 'label')}"

    def _raw(self, value: str) -> str:
        text = value[:_MAX_RAW]
        try:
            decoded = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError):
            return self._words(text, "text")
        return msgspec.json.encode(self._json(decoded)).decode()

    def _json(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._words(value, "text")
        if isinstance(value, dict):
            return {
                (
                    self._tokens.replaced(key) if _FIELD.fullmatch(key) else self._words(key, "key")
                ): self._json(item)
                for key, item in value.items()
            }
        return [self._json(item) for item in value] if isinstance(value, list) else value


_CLUSTER_ZONE = frozenset({"svc", "cluster", "local", "kubernetes"})
