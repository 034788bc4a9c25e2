"""Numbers in recorded lines: a pod called 7 goes from any column, ports, sizes, times and ids stay."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flowdiag.model.report import EvidenceLine, ParserInfo, RecordedPolicy, Report
from flowdiag.parserkit.registry import available, load
from flowdiag.report import GROUP, Options
from flowdiag.report.redact import redact
from flowdiag.report.redact.text import Texts
from flowdiag.report.redact.tokens import Tokens
from tests.report.sample_reports import dns_story

FORMATS = [name for name in available(GROUP) if name not in ("png", "parquet")]

# Names in braces, and what is left of the line: "#" where a name or an address was.
RECORDS = {
    # Antrea's np.log, v1.13 and before
    "2026/01/05 23:24:42.422233 AntreaPolicyIngressRule AntreaNetworkPolicy:{a}/{b} {c} Ingress Drop 44900 {a}/{d} 10.10.1.8 40000 10.10.1.7 80 TCP 60 {e} [3 packets in 1.01s]": (
        "2026/01/05 23:24:42.422233 AntreaPolicyIngressRule AntreaNetworkPolicy:#/# # Ingress Drop 44900 #/# # 40000 # 80 TCP 60 # [3 packets in #]"
    ),
    "2026/01/05 23:56:41.346165 AntreaPolicyEgressRule AntreaNetworkPolicy:{a}/{b} {c} Drop 44900 SRC: 10.10.1.65 DEST: 10.0.0.5 60 TCP {d}": (
        "2026/01/05 23:56:41.346165 AntreaPolicyEgressRule AntreaNetworkPolicy:#/# # Drop 44900 SRC: # DEST: # 60 TCP #"
    ),
    "2026/01/05 23:56:42.346165 AntreaPolicyEgressRule AntreaNetworkPolicy:{a}/{b} Drop 44900 10.10.1.65 35402 10.0.0.5 80 TCP 60 [3 packets in 1.01s]": (
        "2026/01/05 23:56:42.346165 AntreaPolicyEgressRule AntreaNetworkPolicy:#/# Drop 44900 # 35402 # 80 TCP 60 [3 packets in #]"
    ),
    "2026/01/05 23:24:38.422233 AntreaPolicyEgressRule AntreaClusterNetworkPolicy:{a} {c} Egress Drop 14500 {b}/{d} 10.10.1.7 <nil> 10.10.2.3 <nil> ICMP 84 {e}": (
        "2026/01/05 23:24:38.422233 AntreaPolicyEgressRule AntreaClusterNetworkPolicy:# # Egress Drop 14500 #/# # <nil> # <nil> ICMP 84 #"
    ),
    # Antrea's FlowAggregator, v2.2
    "1767607200,1767607260,10.10.0.79,10.10.0.80,44752,5201,TCP,{a},{b},{c},{d},{b},{e},10.96.0.10,10.96.0.10,80,{b}/{d},{a},{b},{c},Drop,K8sNetworkPolicy,,,": (
        "1767607200,1767607260,#,#,44752,5201,TCP,#,#,#,#,#,#,#,#,80,#/#,#,#,#,Drop,K8sNetworkPolicy,,,"
    ),
    # cilium monitor and hubble observe, v1.18
    "xx drop (Policy denied) flow 0x6a51c2d1 to endpoint 0, ifindex 12, file bpf_lxc.c:1531, , identity 19942->20817: 10.244.1.28:50110 -> 10.244.2.63:8080 tcp SYN": (
        "xx drop (Policy denied) flow 0x6a51c2d1 to endpoint 0, ifindex 12, file #:1531, , identity 19942->20817: #:50110 -> #:8080 tcp SYN"
    ),
    "Policy verdict log: flow 0x4 local EP ID 2154, remote ID 20817, proto 6, egress, action deny, match none, 10.244.1.28:50110 -> 10.244.2.63:8080 tcp SYN": (
        "Policy verdict log: flow 0x4 local EP ID 2154, remote ID 20817, proto 6, egress, action deny, match none, #:50110 -> #:8080 tcp SYN"
    ),
    "Mar 17 14:03:13.850 [{a}]: {b}/{c}:41022 (ID:19942) <> {b}/{d}:8080 (ID:20817) policy-verdict:none DENIED (TCP Flags: SYN)": None,
    # The AWS agent, v1.2, and VPC flow logs of version 2
    "Node: {a};SIP: 10.0.115.28;SPORT: 37758;DIP: 198.51.100.7;DPORT: 80;PROTOCOL: TCP;PolicyVerdict: DENY": (
        "Node: #;SIP: #;SPORT: 37758;DIP: #;DPORT: 80;PROTOCOL: TCP;PolicyVerdict: DENY"
    ),
    "2 123456789010 eni-1235b8ca123456789 10.0.1.28 198.51.100.7 20641 443 6 20 4249 1767607200 1767607260 REJECT OK": (
        "2 # # # # 20641 443 6 20 4249 1767607200 1767607260 REJECT OK"
    ),
    # netfilter and OVN 24.03
    "[ 3161.662745] calico-packet: IN={a} OUT={b} SRC=10.0.0.1 DST=10.0.0.2 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=4 DF PROTO=TCP SPT=41022 DPT=80 WINDOW=64240 RES=0x00 SYN URGP=0": (
        "[ 3161.662745] calico-packet: IN=# OUT=# SRC=# DST=# LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=4 DF PROTO=TCP SPT=41022 DPT=80 WINDOW=64240 RES=0x00 SYN URGP=0"
    ),
    '2026-01-05T00:09:50.139Z|00029|acl_log(ovn_pinctrl0)|INFO|name="NP:{a}:{b}:Ingress:0", verdict=drop, severity=alert, direction=to-lport: tcp,nw_src=10.0.0.1,tp_dst=8080': (
        '2026-01-05T00:09:50.139Z|00029|acl_log(ovn_pinctrl0)|INFO|name="NP:#:#:Ingress:0", verdict=drop, severity=alert, direction=to-lport: tcp,nw_src=#,tp_dst=8080'
    ),
    # What no parser of flowdiag knows
    "{a} {b} {c} {e}; {a}|{b}|{c} ({d}) <{e}> {a}, {b}. [x {c}] {d}@{e} {a}": (
        "# # # #; #|#|# (#) <#> #, #. [# #] #@# #"
    ),
}  # fmt: skip
NAMES = "abcde"
WORDS = dict(zip(NAMES, ("qxza", "qxzb", "qxzc", "qxzd", "qxze"), strict=True))

a_number = st.one_of(
    st.integers(0, 10**14).map(str),
    # As the lines themselves count
    st.sampled_from(["0", "3", "6", "7", "12", "60", "80", "443", "2154", "5201", "8080", "40000", "44900"]),
    st.integers(0, 0xFFFF).map("0x{:x}".format),
    st.dates().map(str),
    st.decimals(0, 999, places=1).map(str),
)


def shown(line: str, names: dict[str, str]) -> str:
    text = re.sub(r"\{([a-e])\}", lambda match: names[match[1]], line)
    return re.sub(r"[a-z0-9]+-r\d+", "#", Texts(Tokens("")).record(text))


@pytest.mark.parametrize("line", RECORDS)
@settings(max_examples=60, deadline=None)
@given(st.lists(a_number, min_size=len(NAMES), max_size=len(NAMES), unique=True))
def test_a_record_reads_the_same_whatever_numbers_its_names_are(line: str, numbers: list[str]) -> None:
    """No column keeps a name, not even one that is nowhere else, and no count goes for it."""
    assert shown(line, dict(zip(NAMES, numbers, strict=False))) == shown(line, WORDS)


@pytest.mark.parametrize("line", RECORDS)
def test_a_redacted_record_stays_as_it_is(line: str) -> None:
    """Its numbers are placed by tokens as they were by addresses."""
    once = Texts(Tokens("")).record(re.sub("[{}]", "", line))

    assert Texts(Tokens(once, again=True)).record(once) == once


@pytest.mark.parametrize(("line", "left"), [(line, left) for line, left in RECORDS.items() if left])
def test_ports_sizes_times_and_ids_of_a_record_stay(line: str, left: str) -> None:
    assert shown(line, WORDS) == left


@pytest.mark.parametrize(
    ("line", "left"),
    [
        # A stamp begins a line, perhaps behind a container runtime's; any other day may be what somebody is called.
        (
            "2026-03-02 10:00:00.077 [INFO][83] {a} 14:03:13 2026-03-17 14:03:13",
            "2026-03-02 10:00:00.077 [INFO][83] # 14:03:13 # 14:03:13",
        ),
        (
            "2026-03-17T14:03:13.85Z stdout F 2026-03-02 10:00:00.077 [INFO][83] {a} 10:00:00",
            "2026-03-17T14:03:13.85Z # # 2026-03-02 10:00:00.077 [INFO][83] # 10:00:00",
        ),
        (
            'time="2026-03-02 10:00:00" level=info msg="{a} 10:00:00 {b}:{c}"',
            'time="2026-03-02 10:00:00" level=info msg="# 10:00:00 #:#"',
        ),
        # A port follows an address, a host, or a pod with its namespace; behind any other word it may be a name.
        (
            "10.0.0.1:8080 [2001:db8::1]:443 shop/web:8080 content.example.net:443 a.go:195 Port:80",
            "#:8080 [#]:443 #/#:8080 #:443 #:195 Port:80",
        ),
        ("denied on x:{a} web:{b} :{c} at {d}:{e}", "denied on #:# #:# :# at #:#"),
    ],
)
@settings(max_examples=40, deadline=None)
@given(st.lists(a_number, min_size=len(NAMES), max_size=len(NAMES), unique=True))
@example(["0", "1", "2", "10", "12"])
def test_days_and_ports_stay_only_where_a_format_has_them(line: str, left: str, numbers: list[str]) -> None:
    """A name that is a day before a clock, or a number behind a word and a colon, goes."""
    assert shown(line, dict(zip(NAMES, numbers, strict=False))) == left


def with_rule(rule: str, group: str, kind: str, *, readers: tuple[str, ...] = ("antrea-np-log",)) -> Report:
    """A story whose records name a rule, in a sentence as well."""
    story = dns_story()
    first, *others = story.problems
    recorded = RecordedPolicy(kind=kind, group=group, namespace=None, name="tenant", rule=rule, effect="deny")
    inputs = tuple(replace(story.inputs[0], path=f"{name}.log", parser=name, flows=5) for name in readers)
    return replace(
        story,
        generator=replace(
            story.generator, parsers=tuple(ParserInfo(name, "flowdiag", "0.1.0") for name in readers)
        ),
        inputs=inputs,
        problems=(
            replace(
                first,
                recorded=(recorded,),
                summary=f"{kind} tenant {rule} denies it.",
                evidence=(EvidenceLine(inputs[0].path, 1, f"{kind}:/tenant {rule} Ingress Drop 44900"),),
            ),
            *others,
        ),
    )


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("group", "kind"),
    [("crd.antrea.io", "ClusterNetworkPolicy"), ("policy.networking.k8s.io", "AdminNetworkPolicy")],
)
def test_a_rule_whose_name_is_a_number_is_hidden(group: str, kind: str, name: str) -> None:
    before = with_rule("77101", group, kind)
    render = load(GROUP, name).plugin.render
    options = Options(width=10_000, verbose=True, all=True)

    assert "77101" in msgspec.json.encode(before).decode()
    assert "77101" not in render(redact(before), options)


@settings(max_examples=40, deadline=None)
@given(st.one_of(st.integers(0, 10**9).map(str), st.sampled_from(["secret[0]", "a.b[1]", "egress", "-7"])))
def test_whatever_a_named_rule_is_called_the_report_reads_the_same(rule: str) -> None:
    def told(called: str) -> tuple[str, str]:
        (problem, *_) = redact(with_rule(called, "crd.antrea.io", "ClusterNetworkPolicy")).problems
        return tuple(
            re.sub(r"[a-z0-9]+-r\d+", "#", text or "") for text in (problem.recorded[0].rule, problem.summary)
        )

    if rule != "egress":
        assert told(rule) == told("qxzrule")


@pytest.mark.parametrize(
    ("group", "kind", "readers", "stays"),
    [
        ("projectcalico.org", "GlobalNetworkPolicy", ("calico-flowlog", "antrea-np-log"), True),
        ("networking.k8s.io", "NetworkPolicy", ("calico-flowlog",), True),
        ("policy.networking.k8s.io", "AdminNetworkPolicy", ("calico-flowlog",), True),
        ("policy.networking.k8s.io", "AdminNetworkPolicy", ("calico-flowlog", "antrea-np-log"), False),
    ],
)
def test_a_rule_s_index_stays_where_rules_have_no_names(
    group: str, kind: str, readers: tuple[str, ...], stays: bool
) -> None:
    """Calico counts the rules of an admin policy, Antrea names them: where both tell, the number goes."""
    report = redact(with_rule("2", group, kind, readers=readers))

    assert (report.problems[0].recorded[0].rule == "2") is stays
    assert (
        redact(with_rule("egress[2]", group, kind, readers=readers)).problems[0].recorded[0].rule
        == "egress[2]"
    )


def test_an_address_is_one_token_in_all_its_spellings():
    """IPv6 by its value, and IPv4 as a socket for both families shows it."""
    line = "192.0.2.10 ::ffff:192.0.2.10 ::FFFF:C000:020A 2001:DB8:0::1 [2001:0db8:0:0:0:0:0:1]:443 64:ff9b::192.0.2.12"
    texts = Texts(Tokens(line))

    assert texts.record(line) == "ip4-r1 ip4-r1 ip4-r1 ip6-r2 [ip6-r2]:443 ip6-r3"
