"""A report without anybody's names: the same story, to be sent outside.

Addresses, names of namespaces, workloads, pods, nodes, policies and hosts, labels, file names and the evidence
lines are replaced by tokens.  One name is always one token and two names are never the same one.  Counts, times,
ports, codes, kinds and identities' numbers stay where no name stands (a namespace may be called 8080); so do the
words of schemas, log formats and flowdiag's sentences, well-known label keys, and the few names that Kubernetes
itself gives (`words.PUBLIC`).  Ids and fingerprints stay as well, so that two redacted reports can be compared.

The report is walked three times, each time with more names known: fields, then evidence and manifests, then
sentences.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from flowdiag.model.report import Report, ReportWarning, general_warning
from flowdiag.model.words import HINT_BEHIND
from flowdiag.report.redact.accepted import without_owners
from flowdiag.report.redact.command import redacted_command
from flowdiag.report.redact.evidence import Evidence
from flowdiag.report.redact.indices import is_index, only_calico
from flowdiag.report.redact.keys import is_common_group
from flowdiag.report.redact.manifest import Manifests
from flowdiag.report.redact.text import Texts
from flowdiag.report.redact.tokens import Tokens
from flowdiag.report.redact.words import ENTITIES, is_number

__all__ = ["is_redacted", "redact"]

_NAMES = {
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
    "cluster": "cluster",
}
"""Fields that are names, and what their tokens start with."""
_BARE = frozenset({"node", "reference", "dns_names", "by", "cluster"})
"""Fields whose names have no namespace."""
_SENTENCES = frozenset(
    {"title", "advice", "text", "what", "message", "summary", "notes", "verify", "references"}
)
# Texts such as "dataplane-loop-summary: Summarising 16 ...", "agent-started on node-a: ...", "lost-events on node-b: 37 records"
_MARK = re.compile(r"([a-z0-9-]{1,60})(?: on (\S+))?: ")
# "dataplane-loop-summary", "agent-started on node-r4": what is left of them here
_BARE_MARK = re.compile(r"[a-z0-9-]{1,60}(?: on node-r+[0-9]{1,9})?")
# Of a node of which nothing was recorded no field tells, and of an agent's perhaps its own log alone:
# flowdiag/diagnose/fd6_state, fd8_evidence and flowdiag/timeline/fold_agent.py
_OF_NODE = re.compile(
    r"Nothing was recorded on (\S+), where |[Tt]he agent on (\S+) |refused on (\S+) while its agent "
    r"|records? w(?:as|ere) lost on (\S+) "
)
# A policy that is broken may be in no field: flowdiag/policy/explain.py
_BROKEN = re.compile(r"[A-Za-z]{0,40}Policy (\S+) cannot be evaluated: ")
_REASON = re.compile(r"[A-Za-z0-9_ -]*")
_CONDITIONS_OF_FORMAT = frozenset({"port", "protocol", "icmp"})


class _Stage(IntEnum):
    NAMES = 1
    EVIDENCE = 2
    SENTENCES = 3


_UNSELECTED = "nothing-selected"
_REDACTED = "redacted"
"""Code of the warning that a redacted report carries; no log writes codes."""
_MARK_TEXT = "names, addresses, labels and paths are tokens here (--redact): one name is one token everywhere"


def redact(report: Report) -> Report:
    """The report with names, addresses and labels as tokens; schema, numbers and times as they were.

    The tokens of a report that says it was redacted already stay, if all its names are tokens; in any other one they are
    somebody's names.  Anybody may have written that warning: where another name is left in it, it is not true.
    """
    again = is_redacted(report)
    if again:
        report = replace(report, warnings=tuple(one for one in report.warnings if one.code != _REDACTED))
    report = replace(report, warnings=tuple(map(_without_hint, report.warnings)))
    tree = msgspec.to_builtins(without_owners(report))
    everything = "\n".join(_strings(tree))
    tokens = Tokens(everything, again=again)
    shown = _hidden(tree, tokens, unnamed=only_calico(report), again=again)
    if again and tokens.has_names:
        shown = _hidden(tree, Tokens(everything), unnamed=only_calico(report), again=False)
    hidden: Report = msgspec.convert(shown, Report)
    mark = general_warning(_REDACTED, _MARK_TEXT)
    return replace(hidden, warnings=(mark, *hidden.warnings))


def is_redacted(report: Report) -> bool:
    """Whether a report says that its names are tokens."""
    return any(warning.code == _REDACTED for warning in report.warnings)


def _without_hint(warning: ReportWarning) -> ReportWarning:
    """Drop the hint at what a misspelt name was meant for, since names in it may be nowhere else in the report."""
    if warning.code != _UNSELECTED:
        return warning
    return replace(warning, message=warning.message.partition(HINT_BEHIND)[0])


def _hidden(tree: Any, tokens: Tokens, *, unnamed: bool, again: bool) -> Any:
    walk = _Walk(tokens, unnamed=unnamed, again=again)
    for stage in _Stage:
        shown = walk.through(tree, stage)
    return shown


def _strings(tree: Any) -> list[str]:
    """All texts of a tree, in no order."""
    found: list[str] = []
    left = [tree]
    while left:
        value = left.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, dict):
            found.extend(map(str, value))
            left.extend(value.values())
        elif isinstance(value, list | tuple):
            left.extend(value)
    return found


class _Walk:
    def __init__(self, tokens: Tokens, *, unnamed: bool, again: bool) -> None:
        self._tokens = tokens
        self._unnamed = unnamed
        self._again = again
        self._texts = Texts(tokens)
        self._evidence = Evidence(self._texts)
        self._manifests = Manifests(tokens, self._texts)
        self._stage = _Stage.NAMES
        self._numbers = 0

    def through(self, tree: Any, stage: _Stage) -> Any:
        self._stage = stage
        self._texts.forget()
        if self._tokens.numbers != self._numbers:
            self._evidence.forget()
            self._numbers = self._tokens.numbers
        return self._value(tree, "", {})

    def _value(self, value: Any, key: str, parent: dict[str, Any]) -> Any:
        if isinstance(value, str):
            return self._string(value, key, parent)
        if isinstance(value, dict):
            if key == "labels":
                return {
                    self._texts.key(name): self._texts.value(item, "label") for name, item in value.items()
                }
            if key == "by_problem":
                return value
            if key == "generator":
                # Names of flowdiag and its plugins, and the command, in which only names are looked up that are known.
                command = value["command"]
                hidden = command and self._stage is _Stage.SENTENCES
                return {**value, "command": redacted_command(command, self._texts) if hidden else command}
            if key == "by_node":
                for name in value:
                    self._note(name)
                return {self._tokens.of(name, "node"): row for name, row in value.items()}
            return {name: self._value(item, name, value) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(item, key, parent) for item in value]
        return value

    def _string(self, value: str, key: str, parent: dict[str, Any]) -> str:
        if key in ("name", "raw") and "code" in parent:
            # A reason is the CNI's word; Envoy's holds names: rbac_access_denied_matched_policy[ns[shop]-policy[x]]
            return value if _REASON.fullmatch(value) else self._texts.line(value)
        if key in _NAMES:
            if key == "name" and parent.get("kind") == "entity" and value in ENTITIES:
                return value
            if key in _BARE or (key == "name" and not parent.get("namespace")):
                self._note(value)
            return self._texts.name(value, _NAMES[key])
        if key == "ips":
            return self._texts.address(value)
        if key == "group":
            return value if is_common_group(value) else self._tokens.of(value, "group")
        if key in ("wanted", "found"):
            return self._condition(value, parent)
        if self._stage is _Stage.NAMES:
            return value
        if key == "raw" and "line" in parent:
            return self._evidence.raw(value)
        if key in ("manifests", "manifest"):
            return self._manifests.manifest(value)
        if key == "patch":
            return self._manifests.patch(value, tuple(parent.get("manifests") or ()))
        if key == "rule":
            stays = is_index(value, parent, unnamed=self._unnamed)
            return value if stays else self._texts.name(value, "rule")
        if key in ("src", "dst"):
            return self._texts.value(value, "name")
        if key in _SENTENCES:
            if self._stage is _Stage.SENTENCES:
                return self._sentence(value, key, parent)
            self._learn(value, key, parent)
        return value

    def _learn(self, value: str, key: str, parent: dict[str, Any]) -> None:
        """Learn the names of nodes and policies that are in sentences only."""
        for match in _BROKEN.finditer(value):
            self._texts.value(match[1], "name")
        names = [name for match in _OF_NODE.finditer(value) for name in match.groups() if name]
        said = self._said(value, key, parent)
        for name in names if said is None or not said[2] else [*names, said[2]]:
            self._note(name)
            self._texts.name(name, "node")

    def _said(self, value: str, key: str, parent: dict[str, Any]) -> re.Match[str] | None:
        return _MARK.match(value) if key == "text" and parent.get("kind") in ("signal", "gap") else None

    def _note(self, name: str) -> None:
        """A name that sentences have alone; of ``shop-prod/worker-2`` they may have the end."""
        for one in (name, name.rstrip("."), name.rpartition("/")[2]):
            self._tokens.bare(one)

    def _condition(self, value: str, parent: dict[str, Any]) -> str:
        """What a rule wanted or what was there; see `flowdiag.model.policy.Miss`."""
        condition = parent.get("condition")
        if condition in _CONDITIONS_OF_FORMAT:
            return value if is_number(value) else self._texts.line(value, "label")
        if condition == "entity" and value in ENTITIES:
            return value
        if condition in ("namespace", "pod") and not re.search(r"[=({]", value):
            return self._texts.key(value)
        # Of ranges and their exceptions; see `flowdiag.policy.matchers`.
        parts = value.split(" except ") if condition == "ip" else [value]
        return " except ".join(self._texts.value(part, "label") for part in parts)

    def _sentence(self, value: str, key: str, parent: dict[str, Any]) -> str:
        said = self._said(value, key, parent)
        if said is not None:
            node = self._texts.name(said[2], "node") if said[2] else ""
            # A component's own message is dropped; the code before it says what it is about.
            rest = f": {self._texts.sentence(value[said.end() :])}" if parent["kind"] == "gap" else ""
            return f"{said[1]}{' on ' if node else ''}{node}{rest}"
        if key == "text" and parent.get("kind") == "signal":
            stays = self._again and _BARE_MARK.fullmatch(value) and not self._tokens.known(value)
            return value if stays else self._texts.line(value)
        return self._texts.sentence(value)
