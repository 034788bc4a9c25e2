"""A drop for a reason that nobody here knows: dropped, cause unknown, and no policy is blamed for it.

But where the record names one, or the replay refuses: then with the words that the replay alone says so.
"""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import DENY, OBJECTS, listed, policy, record, write

from flowdiag.analysis import EvidenceOptions, StateOptions, analyze
from flowdiag.ingest.plugins import parser_named
from flowdiag.model.event import FlowEvent, Verdict
from flowdiag.model.report import Confidence
from flowdiag.parserkit import Block, ParseContext

OPEN = [one for one in OBJECTS if one is not DENY]
PAIR = "10.0.0.5:40000 -> 10.0.1.7:8080 tcp SYN"
ENDS = "shop/web-5d9c7b6f4-x2v4z:40000 (ID:1000) <> data/db-7f6b5c4d6-k8m2n:8080 (ID:1001)"


def hubble(**why):
    """A record of a drop with these fields for its reason."""
    line = json.loads(record(1))
    flow = {**line["flow"], "drop_reason": None, "drop_reason_desc": None, **why}
    return (
        json.dumps({**line, "flow": {name: value for name, value in flow.items() if value is not None}})
        + "\n"
    )


FORMS = {
    "a name": ("hubble-json", hubble(drop_reason_desc="DROP_NEW_THING")),
    "a name and a number": ("hubble-json", hubble(drop_reason_desc="DROP_NEW_THING", drop_reason=241)),
    "a number": ("hubble-json", hubble(drop_reason=241)),
    "a number for a name": ("hubble-json", hubble(drop_reason_desc=241)),
    "a low number": ("hubble-json", hubble(drop_reason=7)),
    "in the agent's log": (
        "cilium-agent-log",
        'time=2026-03-01T12:00:00Z level=info msg="Re-pinned map" subsys=bpf\n'
        + hubble(drop_reason_desc="DROP_NEW_THING", drop_reason=241),
    ),
    "compact": ("hubble-compact", f"Mar  1 12:00:01.000: {ENDS} Some new thing DROPPED (TCP Flags: SYN)\n"),
    "compact, a number": ("hubble-compact", f"Mar  1 12:00:01.000: {ENDS} 241 DROPPED (TCP Flags: SYN)\n"),
    "compact, no digits of ours": (
        "hubble-compact",
        f"Mar  1 12:00:01.000: {ENDS} ²⁴¹ DROPPED (TCP Flags: SYN)\n",
    ),
    "table": (
        "hubble-table",
        (
            "TIMESTAMP   SOURCE   DESTINATION   TYPE   VERDICT   SUMMARY\n"
            "Mar  1 12:00:01.000   shop/web-5d9c7b6f4-x2v4z:40000   data/db-7f6b5c4d6-k8m2n:8080   Some new thing   DROPPED   TCP Flags: SYN\n"
        ),
    ),
    "dict": (
        "hubble-dict",
        (
            "  TIMESTAMP: Mar  1 12:00:01.000\n     SOURCE: shop/web-5d9c7b6f4-x2v4z:40000\n"
            "DESTINATION: data/db-7f6b5c4d6-k8m2n:8080\n       TYPE: Some new thing\n    VERDICT: DROPPED\n"
            "    SUMMARY: TCP Flags: SYN\n------------\n"
        ),
    ),
    "monitor": (
        "cilium-monitor",
        f"xx drop (Some new thing) flow 0x1 to endpoint 0, ifindex 12, file bpf_lxc.c:1531, , identity 1000->1001: {PAIR}\n",
    ),
    "monitor, a number": (
        "cilium-monitor",
        f"xx drop (241, 0) flow 0x1 to endpoint 0, ifindex 12, file bpf_lxc.c:1531, , identity 1000->1001: {PAIR}\n",
    ),
    "monitor -o json": (
        "cilium-monitor-json",
        (
            '{"cpu":"CPU 01:","type":"drop","mark":"0x1","reason":"Some new thing","source":2154,"bytes":74,"srcLabel":1000,'
            '"dstLabel":1001,"dstID":0,"summary":{"ethernet":"","ipv4":"","tcp":"","l2":{"src":"a","dst":"b"},'
            '"l3":{"src":"10.0.0.5","dst":"10.0.1.7"},"l4":{"src":"40000","dst":"8080"}}}\n'
        ),
    ),
}
"""What writes it -> parser, text."""

forms = pytest.mark.parametrize(("parser", "text"), FORMS.values(), ids=FORMS)


def told(tmp_path, text, *objects):
    folder = write(tmp_path, flows_log=text, **({"state_json": listed(*objects)} if objects else {}))
    return analyze(
        [folder],
        state=StateOptions(),
        evidence=EvidenceOptions(format=None, year=2026),
    )


@forms
def test_the_record_is_a_denial_of_unknown_cause(parser, text):
    """Read and folded alike, it is refused, its cause is unknown, and its reason stays as it was written."""
    context = ParseContext(input="in", year=2026)
    (event,) = (
        one
        for one in parser_named(parser).parse(Block(data=text.encode()), context)
        if isinstance(one, FlowEvent)
    )

    assert (event.verdict, event.cause, event.policies) == (Verdict.DENIED, None, ())
    assert event.reason_raw or event.reason_code == 7


@forms
def test_it_is_counted_and_nobody_is_blamed(parser, text, tmp_path):
    """Without policies, and with policies that allow it: a denial of unknown cause, said in a sentence."""
    for objects in ((), OPEN):
        report = told(tmp_path / str(len(objects)), text, *objects)

        assert (report.totals.denied, report.totals.unattributed, report.totals.not_policy) == (1, 1, 0)
        assert report.problems == ()
        assert [one.parser for one in report.inputs if one.parser is not None] == [parser]
        (said,) = [one.message for one in report.warnings if one.code == "unknown-drop-reason"]
        assert said.startswith("1 drop of unknown cause (")


@pytest.mark.parametrize("form", ["a name", "compact", "table", "dict", "in the agent's log"])
def test_what_the_replay_refuses_is_told_and_never_sure(form, tmp_path):
    """The policies of its time refuse the connection: they are named, and that only the replay says so."""
    deny = policy("shop", "deny", DENY["spec"], created="2026-03-01T10:00:00Z")
    report = told(tmp_path, FORMS[form][1], *OPEN, deny)

    (problem,) = report.problems
    assert (problem.code, problem.confidence) == ("FD101", Confidence.LIKELY)
    assert any("the replay alone does" in one for one in problem.notes)
    assert not [one for one in report.warnings if one.code == "unknown-drop-reason"]


def test_a_known_number_tells_whatever_its_new_name():
    """A later release renames 133: the number is the policy's still."""
    text = hubble(drop_reason_desc="POLICY_DENIED_BY_ANOTHER_NAME", drop_reason=133)
    (event,) = parser_named("hubble-json").parse(Block(data=text.encode()), ParseContext(input="in"))

    assert (event.reason, event.reason_code, event.cause) == ("POLICY_DENIED", 133, "policy")
