"""A namespace may be called 8080: names that are numbers go where names stand; ports, counts and times stay."""

from __future__ import annotations

import re
from functools import cache

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flowdiag.model.report import Report
from flowdiag.parserkit.registry import available, load
from flowdiag.report import GROUP, Options
from flowdiag.report.json_report import JsonReporter
from flowdiag.report.read import read_report
from flowdiag.report.redact import redact
from flowdiag.report.redact.evidence import Evidence
from flowdiag.report.redact.manifest import Manifests
from flowdiag.report.redact.text import Texts
from flowdiag.report.redact.tokens import Tokens
from tests.report.sample_reports import dns_story
from tests.report.test_redact import ELSEWHERE, NAMES, OWN, renamed, told_elsewhere, with_tellings, words_of
from tests.report.test_redact_bare_names import RARE, called, story, with_rare_names
from tests.report.test_redacted_incidents import OF_INCIDENTS, with_letters, with_names

FORMATS = [name for name in available(GROUP) if name not in ("png", "parquet")]
PLAIN = [name for name in NAMES if name not in OWN and not name[0].isdigit()]

# Ports have at most five digits and the stories' counts fewer; a label may be called as a decimal or a day.
apart = st.one_of(
    st.integers(70_000, 10**14).map(str),
    st.integers(0xA000, 0xFFFF).map("0x{:x}".format),
    st.dates().map(str),
)
# These are ports, counts and parts of times of the stories as well.
anything = st.one_of(
    st.integers(0, 99).map(str),
    st.sampled_from(
        [
            "160",
            "345",
            "443",
            "1204",
            "2026",
            "4711",
            "5000",
            "8080",
            "8443",
            "9090",
            "19942",
            "41022",
            "58496",
        ]
    ),
)

quick = settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
"""Stories are long: what failed is printed as it was drawn."""


def different(ours: Report, theirs: Report) -> list[tuple[str, str]]:
    """The words that are not the same in two redacted reports; their numbers must be."""
    one, other = words_of(ours), words_of(theirs)
    assert len(one) == len(other)
    return [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]


def numbers(draw: st.DrawFn, of: st.SearchStrategy[str], count: int) -> list[str]:
    return draw(st.lists(of, min_size=count, max_size=count, unique=True))


@quick
@given(st.data())
def test_what_is_left_is_the_same_whatever_numbers_the_names_were(data: st.DataObject) -> None:
    """In fields, sentences, manifests, patches, commands and a line of evidence of every kind."""
    drawn = numbers(data.draw, apart, len(PLAIN))
    names = {**ELSEWHERE, **dict(zip(PLAIN, drawn, strict=True))}

    assert different(redact(renamed(with_tellings(), names)), told_elsewhere()) == []


@pytest.mark.parametrize("incident", OF_INCIDENTS)
@quick
@given(st.data())
def test_an_incident_reads_the_same_whatever_numbers_its_names_are(
    incident: str, data: st.DataObject
) -> None:
    names = OF_INCIDENTS[incident]
    drawn = numbers(data.draw, apart, len(names))
    ours = redact(with_names(incident, dict(zip(names, drawn, strict=False))))

    assert different(ours, with_letters(incident)) == []


@quick
@given(st.data())
def test_hosts_and_nodes_that_are_numbers_are_hidden_in_every_sentence(data: st.DataObject) -> None:
    drawn = numbers(data.draw, apart, len(RARE))

    assert different(redact(called(story(), dict(zip(RARE, drawn, strict=True)))), with_rare_names()) == []


@quick
@given(st.data())
def test_a_number_that_is_a_name_and_a_count_is_hidden_rather_than_left(data: st.DataObject) -> None:
    """Where a line does not show which it is; nothing else goes."""
    drawn = numbers(data.draw, anything, len(PLAIN))
    names = {**ELSEWHERE, **dict(zip(PLAIN, drawn, strict=True))}
    found = different(redact(renamed(with_tellings(), names)), told_elsewhere())

    assert [(one, other) for one, other in found if not (one == "TOKEN" and other in drawn)] == []


@cache
def with_numbers(incident: str) -> Report:
    names = OF_INCIDENTS[incident]
    drawn = [f"77{number}01" for number in range(len(names))]
    return redact(with_names(incident, dict(zip(names, drawn, strict=True))))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("incident", ["default-deny-egress", "calico-log-lines"])
def test_every_format_reads_as_if_names_were_no_numbers(incident: str, name: str) -> None:
    render = load(GROUP, name).plugin.render
    options = Options(width=10_000, verbose=True, all=True)
    drawn = [f"77{number}01" for number in range(len(OF_INCIDENTS[incident]))]
    ours, theirs = (render(report, options) for report in (with_numbers(incident), with_letters(incident)))

    # Page and pictures have both in the order of their numbers; which number a token has depends on the spelling.
    assert re.sub(r"-r\d+", "", ours) == re.sub(r"-r\d+", "", theirs)
    assert [number for number in drawn if number in ours] == []


@quick
@given(st.data())
def test_two_numbers_stay_two(data: st.DataObject) -> None:
    """Injective, and a name is one token in every field."""
    drawn = numbers(data.draw, st.one_of(apart, anything), len(PLAIN))
    before = renamed(with_tellings(), {**ELSEWHERE, **dict(zip(PLAIN, drawn, strict=True))})
    after = redact(before)
    tokens: dict[str, str] = {}
    for old, new in zip(before.problems, after.problems, strict=True):
        for one, other in zip(old.connections, new.connections, strict=True):
            for end, hidden in ((one.source, other.source), (one.destination, other.destination)):
                for name, token in (
                    (end.namespace, hidden.namespace),
                    (end.name, hidden.name),
                    *zip(end.pods, hidden.pods, strict=True),
                ):
                    if name is not None and token is not None and name != token:
                        assert tokens.setdefault(name, token) == token
                assert end.name not in drawn or end.name != hidden.name
                assert end.namespace not in drawn or end.namespace != hidden.namespace

    assert len(set(tokens.values())) == len(tokens)


def hidden(text: str) -> str:
    return re.sub(r"[a-z0-9]+-r\d+", "#", text)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        # cilium monitor, v1.18
        ("1234/56:41022 (ID:199) <> 42/43:8080 DENIED (UDP)", "#/#:41022 (ID:199) <> #/#:8080 DENIED (UDP)"),
        ("k8s:app=1234 k8s:io.kubernetes.pod.namespace=42", "k8s:app=# k8s:io.kubernetes.pod.namespace=#"),
        ("k8s:port=1234 any:8=9", "k8s:#=# any:#=#"),
        # cilium-agent, v1.18
        ("resource=knp/1234/56 policyRevision=41 endpointID=345", "resource=knp/#/# policyRevision=41 endpointID=345"),
        ("namespace=1234 policy=56 identity=4711 tier=7", "namespace=# policy=# identity=4711 tier=#"),
        # netfilter's LOG target
        ("IN=1234 OUT= LEN=60 TOS=0x00 TTL=63 ID=4 PROTO=6 SPT=41022 DPT=80 MARK=0x1", "IN=# OUT= LEN=60 TOS=0x00 TTL=63 ID=4 PROTO=6 SPT=41022 DPT=80 MARK=0x1"),
        # OVN 24.03
        ('name="NP:1234:56:Ingress:0", verdict=drop, tp_dst=80', 'name="NP:#:#:Ingress:0", verdict=drop, tp_dst=80'),
        ('name="NP:1234:Ingress" name="ANP:56:Egress:2"', 'name="NP:#:Ingress" name="ANP:#:Egress:2"'),
        # Antrea 2.2
        ("2026/01/05 23:24:42.42 AntreaPolicyIngressRule AntreaNetworkPolicy:1234/56 78 Ingress Drop 44900", "2026/01/05 23:24:42.42 AntreaPolicyIngressRule AntreaNetworkPolicy:#/# # Ingress Drop 44900"),
        # Calico flow logs, v3.30
        ('"1|default|1234/56.78|deny|2"', '"1|default|#/#|deny|2"'),
        # Envoy's RBAC, and process ids
        ("denied policy[ns[1234]-policy[56]-rule[0]] on kernel[4321]:", "denied policy[ns[#]-policy[#]-rule[0]] on kernel[4321]:"),
        ('pod="1234/56" node="78" port="8080"', 'pod="#/#" node="#" port="8080"'),
        ("pod 1234 denied, node 56 for 60 bytes, namespace 7", "pod # denied, node # for 60 bytes, namespace #"),
        ("endpoint Namespace:1234 Port:8080 from file.go:195", "endpoint Namespace:# Port:8080 from #:195"),
        ("src=10.0.0.1:8080 to [2001:db8::1]:443 dst=[2001:db8::1]:443", "src=#:8080 to [#]:443 dst=[#]:443"),
        ("2026-03-17T14:03:13.850000000Z 53/UDP 80-90/TCP -1 to=-5", "2026-03-17T14:03:13.850000000Z 53/UDP 80-90/TCP -1 to=-5"),
    ],
)  # fmt: skip
def test_in_a_line_numbers_are_names_by_their_place(line: str, shown: str) -> None:
    assert hidden(Texts(Tokens("")).line(line)) == shown


def test_in_a_line_a_number_is_a_name_that_is_one_elsewhere() -> None:
    """No place shows what a column of a table is."""
    texts = Texts(Tokens(""))
    assert texts.line("shop 1234 8080 DENIED").endswith(" 1234 8080 DENIED")
    texts.name("1234", "pod")
    texts.forget()

    assert hidden(texts.line("shop 1234 8080 DENIED")) == "# # 8080 DENIED"


def test_in_json_a_string_of_digits_is_a_name_unless_its_key_counts() -> None:
    raw = (
        '{"namespace":"1234","pod_name":"56","destination_port":"8080","time":"2026-03-17T14:03:13.85Z","x":"7",'
        '"labels":["k8s:app=1234","k8s:99"],"identity":19942,"start":"1773756193","ts":"1773756193.25",'
        '"n":{"labels":{"1234":"56","app":"9"}},"src_namespace":1234,"port":8080,"num_events_lost":"37","PRIORITY":"6"}'
    )

    assert hidden(Evidence(Texts(Tokens(""))).raw(raw)) == (
        '{"namespace":"#","pod_name":"#","destination_port":"8080","time":"2026-03-17T14:03:13.85Z","x":"#",'
        '"labels":["k8s:app=#","k8s:#"],"identity":19942,"start":"1773756193","ts":"1773756193.25",'
        '"n":{"labels":{"#":"#","app":"#"}},"src_namespace":"#","port":8080,"num_events_lost":"37","PRIORITY":"6"}'
    )


MANIFEST = """\
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata:
  name: "{1234}"
  namespace: '{8080}'
  generation: 3
  creationTimestamp: "2026-03-17T14:03:12Z"
  labels:
    "{1234}": "{56}"
    {port}: "{99}"
    app: '{2026-03-17}'
spec:
  order: 100
  selector: app == '{1234}' && has({56})
  ingress:
  - action: Allow
    protocol: 6
    source:
      namespaceSelector: projectcalico.org/name == "{1234}"
    destination:
      ports:
      - 8080
      - 8080:8090
      - "9090"
    podSelector:
      matchExpressions:
      - key: tier
        operator: In
        values:
        - '{1}'"""
"""With the names in braces."""


def test_in_a_manifest_ports_and_orders_stay() -> None:
    tokens = Tokens("")
    shown = Manifests(tokens, Texts(tokens)).manifest(re.sub("[{}]", "", MANIFEST))

    # What was quoted because it is a number is no number any more; a selector's quotes are its syntax.
    unquoted = re.sub(
        r"""(?m)(?<=[:-] )(['"])(\{[^}]*\})\1$|^( +)(['"])(\{[^}]*\})\4(?=:)""", r"\2\3\5", MANIFEST
    )
    assert unquoted.count('"') == 6
    assert hidden(shown) == re.sub(r"\{.*?\}", "#", unquoted)


def test_a_diff_of_an_object_that_is_new_still_says_so() -> None:
    """`/dev/null` is no name, and `patch` needs it."""
    tokens = Tokens("")
    diff = "--- /dev/null\n+++ b/shop/allow-web.yaml\n@@ -0,0 +1,2 @@\n+kind: NetworkPolicy\n+name: allow-web"
    lines = Manifests(tokens, Texts(tokens)).patch(diff, ()).split("\n")

    assert lines[0] == "--- /dev/null"
    assert lines[2:4] == ["@@ -0,0 +1,2 @@", "+kind: NetworkPolicy"]
    assert "allow-web" not in "".join(lines)


def test_a_report_that_is_redacted_already_stays_as_it_is() -> None:
    """It says so itself, so that its tokens keep their meaning; in any other report they are somebody's names."""
    once = redact(with_tellings())

    assert redact(once) == once
    assert once.warnings[0].code == "redacted"
    assert read_report(JsonReporter().render(once, Options()).encode()) == once
    unmarked = replace(once, warnings=once.warnings[1:])
    assert not re.search(r"-r\d", msgspec.json.encode(redact(unmarked)).decode())


def test_a_port_behind_a_host_that_is_called_as_a_kind_stays() -> None:
    texts = Texts(Tokens(""))

    assert hidden(texts.sentence("nc -zvw3 deployment.tcp 8080")) == "nc -zvw3 # 8080"
    assert (
        hidden(texts.sentence("refused by Service 77101/77102 and node 77103"))
        == "refused by Service #/# and node #"
    )


@pytest.mark.parametrize("name", ["-1", "08:00", "1/2", "2026-03-17T14:03:13Z", "0.0", "１２３４", "1e5"])
def test_what_nothing_in_a_cluster_may_be_called_is_hidden_where_it_is_a_name(name: str) -> None:
    """A file or an export may have it all the same; times and numbers elsewhere stay."""
    before = renamed(with_tellings(), {**ELSEWHERE, "frontend": name})
    alone = re.compile(rf"(?<![\w.:/-]){re.escape(name)}(?![\w.:/-])")

    assert len(alone.findall(msgspec.json.encode(before).decode())) > 20
    assert alone.findall(msgspec.json.encode(redact(before)).decode()) == []


@pytest.mark.parametrize(
    "title",
    [
        "9 ends in 6 namespaces cannot reach {} on 7 ports: a policy isolates more than it seems to",
        "DNS is blocked for 40 workloads in 12 namespaces",
        "Nothing allows 3 outside ranges in 2 namespaces to reach {} on 8080/TCP",
    ],
)
def test_how_many_namespaces_there_are_is_no_name(title: str) -> None:
    """A count was taken for the namespace that stands there where there is one: `9 ends in name-r110 namespaces`."""
    report = dns_story()
    problem = replace(report.problems[0], title=title.format("backend/user-api"))
    (shown,) = redact(replace(report, problems=(problem,))).problems

    assert re.sub(r"ns-r\d+/name-r\d+|name-r\d+/name-r\d+", "{}", shown.title) == title
