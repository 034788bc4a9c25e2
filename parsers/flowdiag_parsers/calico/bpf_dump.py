"""What ``calico-node -bpf`` prints: the policy that is programmed, counters, conntrack.

They are no records of traffic but evidence: which rules an interface has, and how often each was hit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from flowdiag.parserkit import LineEnvelope, is_workload_interface
from flowdiag_parsers.calico.policy_names import named_policy

__all__ = ["DUMP_SNIFF", "Origin", "Statement", "finish", "read_dump_line"]

DUMP_SNIFF = re.compile(
    rb"(?:^|\n)(?:IfaceName: |// Start of (?:tier|policy|rule) |\| CATEGORY \|)"
    rb"|(?:^|\n)(?:TCP|UDP|ICMP|SCTP) \S{3,60} -> \S{3,60}[^\n]{0,200} Active ago "
)


class Origin(Struct, frozen=True):
    """A line of the input, verbatim, and what is known around it."""

    around: LineEnvelope
    text: str


class Statement(Struct, frozen=True):
    """One thing that a dump says."""

    signal: str
    message: str
    fields: dict[str, str]
    origin: Origin
    """The line on which it begins."""


# "IfaceName: calic31b4f7fc58", "Hook: tc egress"            v3.30 and later
_HEAD = re.compile(r"(IfaceName|Hook): (\S.{0,60})$")
# v3.30-v3.31 writes the programmed policy as comments of the program:
# first "// Start of tier default", last "// End of tier default: deny"
# between them "// Start of policy default/knp.default.allow-nginx" and
# rules as '// Start of rule action:"allow"  protocol:{name:"tcp"} ... rule_id:"29vMYcPWr7reSxxN"', "// count = 9"
_COMMENT = re.compile(
    r"\s{0,8}// (?:(?P<edge>Start|End) of (?P<what>tier|policy|rule) (?P<rest>.{1,4000})|count = (?P<count>\d{1,20}))$"
)
# v3.33 indents words instead:
# a rule is "Tier: default" / "Policy: NetworkPolicy shop/web" / "Rule: x  Action: allow" / "Match: proto=tcp"
# and then "Hit count: 4" / "End Policy: ..." / "End Tier: default  (action: deny)"
_WORDS = re.compile(r"\s{0,16}(?P<end>End )?(?P<what>Tier|Policy|Rule|Match|Hit count): (?P<rest>.{0,4000})$")
_ACTION = re.compile(r'action:"([a-z-]{1,20})"|Action: ([A-Za-z-]{1,20})|\(action: ([a-z-]{1,20})\)')
_RULE_ID = re.compile(r'rule_id:"([^"]{1,64})"')
# "| Dropped  | by policy                      |       0 |     11 | N/A |"   merged cells are empty
_ROW = re.compile(r"\|((?:[^|\n]{1,80}\|){5})\s*$")
# A conntrack entry, service and backend: "TCP 10.0.0.1:40000 -> 10.96.0.1:443 -> 10.0.0.2:6443  Active ago 4.48s ESTABLISHED"
_CONNTRACK = re.compile(
    r"(?P<proto>TCP|UDP|ICMP|SCTP|\d{1,3}) (?P<src>\S{3,60}) -> (?P<dst>\S{3,60})(?: -> (?P<backend>\S{3,60}))?"
    r"\s{1,8}(?P<rest>.{0,20}Active ago (?P<age>\S{1,20}).{0,200})$"
)


def read_dump_line(origin: Origin, state: dict[str, Any]) -> Iterator[Statement]:
    """Read one line; statements that span lines come with their last one.

    Args:
        origin: the line.
        state: what the lines before said, changed here.
    """
    text = origin.text
    head = _HEAD.match(text)
    if head is not None:
        yield from _finish_rule(state)
        if head[1] == "IfaceName":
            state.clear()
            state["interface"] = head[2]
        else:
            state["hook"] = head[2]
        return
    comment = _COMMENT.match(text)
    if comment is not None:
        yield from _comment(comment, origin, state)
        return
    row = _ROW.match(text)
    if row is not None:
        yield from _counter_row([cell.strip() for cell in row[1].split("|")[:5]], origin, state)
        return
    if text.startswith("+--"):
        yield from _finish_row(state)
        return
    conntrack = _CONNTRACK.match(text)
    if conntrack is not None:
        fields = {key: value for key, value in conntrack.groupdict().items() if value and key != "rest"}
        yield Statement("bpf-conntrack", text.strip(), fields, origin)
        return
    words = _WORDS.match(text)
    if words is not None and ("interface" in state or "hook" in state or words["what"] != "Policy"):
        yield from _worded(words, origin, state)


def finish(state: dict[str, Any]) -> Iterator[Statement]:
    """What the last lines of an input left open."""
    yield from _finish_rule(state)
    yield from _finish_row(state)


def _comment(match: re.Match[str], origin: Origin, state: dict[str, Any]) -> Iterator[Statement]:
    if match["count"] is not None:
        if "rule" in state:
            state["rule"]["count"] = match["count"]
        return
    what, rest = match["what"], match["rest"].strip()
    if match["edge"] == "Start":
        yield from _finish_rule(state)
        if what == "rule":
            state["rule"] = {"text": rest, "origin": origin}
        else:
            state[what] = rest
    elif what == "rule":
        yield from _finish_rule(state)
    elif what == "policy":
        state.pop("policy", None)
    else:
        name, _, action = rest.rpartition(": ")
        yield _end_of_tier(name or rest, action, origin, state)


def _worded(match: re.Match[str], origin: Origin, state: dict[str, Any]) -> Iterator[Statement]:
    what, rest = match["what"], match["rest"].strip()
    if match["end"]:
        yield from _finish_rule(state)
        if what == "Tier":
            action = _ACTION.search(rest)
            tier = rest.partition("  ")[0].split(" (")[0]
            yield _end_of_tier(tier, (action[3] or "") if action else "", origin, state)
        elif what == "Policy":
            state.pop("policy", None)
    elif what == "Rule":
        yield from _finish_rule(state)
        state["rule"] = {"text": rest, "origin": origin}
    elif what == "Match":
        if "rule" in state:
            state["rule"]["text"] += " " + rest
    elif what == "Hit count":
        if "rule" in state and rest.isdecimal():
            state["rule"]["count"] = rest
    else:
        yield from _finish_rule(state)
        state[what.lower()] = rest


def _where(state: dict[str, Any]) -> dict[str, str]:
    fields: dict[str, str] = {key: state[key] for key in ("interface", "hook") if key in state}
    if is_workload_interface(fields.get("interface")) and fields.get("hook", "").startswith("tc "):
        # What tc sends out of a pod's host interface goes into the pod.
        fields["direction"] = "ingress" if fields["hook"] == "tc egress" else "egress"
    return fields


def _finish_rule(state: dict[str, Any]) -> Iterator[Statement]:
    rule = state.pop("rule", None)
    if rule is None:
        return
    text: str = rule["text"]
    fields = _where(state)
    if "tier" in state:
        fields["tier"] = state["tier"]
    if "policy" in state:
        fields["policy"] = state["policy"]
        kind, blank, name = state["policy"].partition(" ")
        ref = named_policy(state.get("tier"), state["policy"]) if not blank else None
        if blank:
            namespace, _, proper = name.rpartition("/")
            fields |= {"policy_kind": kind, "policy_name": proper}
            fields |= {"policy_namespace": namespace} if namespace else {}
        elif ref is not None and ref.name is not None:
            fields |= {"policy_kind": ref.kind, "policy_name": ref.name}
            fields |= {"policy_namespace": ref.namespace} if ref.namespace else {}
    action = _ACTION.search(text)
    if action is not None:
        fields["action"] = (action[1] or action[2] or action[3]).lower()
    rule_id = _RULE_ID.search(text)
    if rule_id is not None:
        fields["rule_id"] = rule_id[1]
    if "count" in rule:
        fields["count"] = rule["count"]
    yield Statement("bpf-rule", text, fields, rule["origin"])


def _end_of_tier(tier: str, action: str, origin: Origin, state: dict[str, Any]) -> Statement:
    state.pop("tier", None)
    state.pop("policy", None)
    fields = _where(state) | {"tier": tier}
    if action:
        fields["action"] = action
    message = f"end of tier {tier}: {action}" if action else f"end of tier {tier}"
    return Statement("bpf-end-of-tier", message, fields, origin)


def _counter_row(cells: list[str], origin: Origin, state: dict[str, Any]) -> Iterator[Statement]:
    """A row of the counters table: an empty category is the one above, a row without numbers goes on with it."""
    category, kind, *numbers = cells
    if category == "CATEGORY":
        yield from _finish_row(state)
        state.pop("category", None)
        return
    if not any(numbers):
        if "row" in state:
            state["row"][0]["type"] += " " + kind
        return
    yield from _finish_row(state)
    if category:
        state["category"] = category
    fields = {"category": state.get("category", ""), "type": kind}
    fields |= {
        name: number
        for name, number in zip(("ingress", "egress", "xdp"), numbers, strict=True)
        if number.isdecimal()
    }
    state["row"] = (fields, origin)


def _finish_row(state: dict[str, Any]) -> Iterator[Statement]:
    row: tuple[dict[str, str], Origin] | None = state.pop("row", None)
    if row is not None:
        fields, origin = row
        yield Statement("bpf-counter", f"{fields['category']} {fields['type']}", fields, origin)
