"""A redacted report tells the same story and names nobody, in whatever format it is written."""

from __future__ import annotations

import re
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flowdiag.model.policy import Condition, Miss
from flowdiag.model.report import EvidenceLine, NearestRuleView, Report
from flowdiag.parserkit.registry import load_all
from flowdiag.report import GROUP, Options
from flowdiag.report.json_report import JsonReporter
from flowdiag.report.read import read_report
from flowdiag.report.redact import redact, words
from flowdiag.report.redact.one_word import Words
from flowdiag.report.redact.text import Texts
from flowdiag.report.redact.tokens import Tokens
from tests.report.sample_reports import SAMPLES, dns_story, hostile, mixed, taken_back

NAMES = (
    "frontend",
    "backend",
    "web-app",
    "promo-banner",
    "user-api",
    "coredns",
    "kube-system",
    "kube-dns",
    "default-deny",
    "allow-dns-access",
    "allow-web-app-to-call-user-api",
    "web-app-d5f3fa262-dmb4f",
    "user-api-5c8d6f7b9-4hzjn",
    "shop-prod",
    "worker-2",
    "edge",
    "content.example.net",
    "kubectl-client-side-apply",
    "incident/cluster",
    "10.244.1.28",
    "10.244.2.34",
    "198.51.100.80",
)
TEXT_FORMATS = ("terminal", "markdown", "json", "jsonl", "csv", "junit", "sarif", "openmetrics", "html")


def outputs(report: Report) -> dict[str, str]:
    plugins, broken = load_all(GROUP)
    assert broken == []
    options = Options(width=160, verbose=True, all=True)
    return {
        plugin.name: plugin.plugin.render(report, options)
        for plugin in plugins
        if plugin.name in TEXT_FORMATS
    }


def renamed(report: Report, names: dict[str, str]) -> Report:
    """The report as another cluster would have it: every text, keys too, with other names."""
    pattern = re.compile("|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)))
    text = pattern.sub(lambda match: names[match[0]], msgspec.json.encode(report).decode())
    return msgspec.json.decode(text, type=Report)


# Names that no sentence, schema or document holds by chance: random letters, never all digits.
_name = st.text("bcdfghjkmpqvwxz", min_size=5, max_size=12)
_dashed = st.lists(_name, min_size=1, max_size=3).map("-".join)
_ipv4 = st.tuples(*[st.integers(1, 254)] * 4).map(lambda parts: ".".join(map(str, parts)))


@st.composite
def clusters(draw: st.DrawFn) -> dict[str, str]:
    plain = [name for name in NAMES if not name[0].isdigit()]
    dashed = draw(st.lists(_dashed, min_size=len(plain), max_size=len(plain), unique=True))
    numbers = [name for name in NAMES if name[0].isdigit()]
    addresses = draw(st.lists(_ipv4, min_size=len(numbers), max_size=len(numbers), unique=True))
    return dict(zip([*plain, *numbers], [*dashed, *addresses], strict=True))


@settings(max_examples=8, deadline=None)
@given(clusters())
def test_no_original_name_is_left_in_any_output(names: dict[str, str]) -> None:
    report = renamed(taken_back(), names)
    present = [name for name in names.values() if name in msgspec.json.encode(report).decode()]
    for name, text in outputs(redact(report)).items():
        left = [original for original in present if original in text]

        assert left == [], name


# A line of every kind of evidence, with the names of the sample reports where that format has names.
TELLINGS = (
    (
        '{"flow":{"time":"2026-03-17T14:03:13.850000000Z","verdict":"DROPPED","IP":{"source":"10.244.1.28",'
        '"destination":"10.244.2.34","ipVersion":"IPv4"},"source":{"identity":19942,"namespace":"frontend","labels":'
        '["k8s:app=web-app","k8s:io.kubernetes.pod.namespace=frontend","k8s:tier=edge"],"pod_name":"promo-banner",'
        '"workloads":[{"name":"user-api","kind":"Deployment"}]},"Type":"L3_L4","node_name":"shop-prod/worker-2",'
        '"traffic_direction":"EGRESS","drop_reason_desc":"POLICY_DENIED","Summary":"TCP Flags: SYN"}}'
    ),
    (
        'data: {"action":"Deny","source_name":"web-app-*","source_namespace":"frontend","source_labels":"app=web-app'
        ' | tier=edge","dest_name":"user-api","dest_namespace":"backend","protocol":"tcp","reporter":"Dst","policies":'
        '{"enforced":[{"kind":"CalicoNetworkPolicy","name":"default-deny","namespace":"frontend","tier":"default",'
        '"action":"Deny","policy_index":0}]}}'
    ),
    '{"source_labels":{"labels":["app=web-app"]},"policies":{"all_policies":["1|default|frontend/default-deny|deny|2"]}}',
    (
        "Mar 17 14:03:13.850: frontend/web-app:41022 (ID:19942) <> backend/user-api:8080 (ID:7399) "
        "policy-verdict:none EGRESS DENIED (UDP)"
    ),
    "     SOURCE: frontend/web-app:50110",
    (
        "2026/01/05 23:24:42.422233 AntreaPolicyIngressRule AntreaNetworkPolicy:frontend/default-deny "
        "allow-dns-access Ingress Drop 44900 backend/user-api 10.244.1.28 5000 10.244.2.34 80 TCP 84 <nil>"
    ),
    (
        '2026-01-05T00:09:50.139Z|00029|acl_log(ovn_pinctrl0)|INFO|name="NP:frontend:Ingress", verdict=drop, '
        "severity=alert, direction=to-lport: tcp,nw_src=10.244.1.28,nw_dst=10.244.2.34,tp_src=58496,tp_dst=8080"
    ),
    (
        'time=2026-03-17T14:03:13.123Z level=info msg="Upserted policy to repository" '
        "resource=knp/frontend/default-deny policyRevision=41"
    ),
    "Jan  5 14:58:34 DROP by policy backend/default-deny IN=edge OUT= SRC=10.244.1.28 DST=10.244.2.34 PROTO=TCP",
    (
        '{"kind":"Event","verb":"create","user":{"username":"kubectl-client-side-apply"},"objectRef":{"resource":'
        '"networkpolicies","namespace":"frontend","name":"allow-dns-access"},"responseObject":{"spec":{"podSelector":'
        '{"matchLabels":{"app":"web-app"}},"policyTypes":["Ingress"]}}}'
    ),
    (
        '{"involvedObject":{"kind":"Pod","namespace":"backend","name":"user-api"},"type":"Warning","message":'
        '"pod frontend/web-app was refused by node \\"worker-2\\""}'
    ),
    (
        '{"SrcK8S_Name":"web-app","SrcK8S_Namespace":"frontend","SrcK8S_OwnerType":"Deployment","Proto":6,'
        '"NetworkEvents":[{"Feature":"acl","Action":"drop","Type":"NetworkPolicy","Name":"default-deny","Namespace":'
        '"frontend","Direction":"Ingress"}]}'
    ),
)


def with_tellings() -> Report:
    report = taken_back()
    evidence = tuple(
        EvidenceLine("zz-lines.log", number, raw) for number, raw in enumerate(TELLINGS, start=1)
    )
    return replace(report, problems=tuple(replace(problem, evidence=evidence) for problem in report.problems))


PLAIN = sorted(
    word for word in words._SENTENCE - words.PUBLIC if re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", word)
)
"""Names that schemas, log formats and flowdiag's own sentences use as words."""


@st.composite
def named_like_words(draw: st.DrawFn) -> dict[str, str]:
    names = draw(clusters())
    plain = [name for name in NAMES if name not in OWN and not name[0].isdigit()]
    drawn = draw(st.lists(st.sampled_from(PLAIN), min_size=len(plain), max_size=len(plain), unique=True))
    return {**names, **dict(zip(plain, drawn, strict=True))}


OWN = ("content.example.net", "incident/cluster")
"""A host and a path: never one word."""

ELSEWHERE = dict(
    zip(
        NAMES,
        [
            f"qx{'zvwkjh'[n % 6]}{'bcdfgm'[n // 6]}" if not name[0].isdigit() else f"192.0.2.{n}"
            for n, name in enumerate(NAMES)
        ],
        strict=True,
    )
)


def words_of(report: Report) -> list[str]:
    """A report's words, its tokens alike: which number one has depends on how the names are spelt."""
    text = re.sub(r"[a-z0-9]+-r\d+", "TOKEN", msgspec.json.encode(report).decode())
    return re.findall(r"\w+|\W", text)


@cache
def told_elsewhere() -> Report:
    """The same story of a cluster whose names no sentence holds."""
    return redact(renamed(with_tellings(), ELSEWHERE))


@settings(max_examples=150, deadline=None)
@given(named_like_words())
def test_a_name_that_is_a_word_goes_where_names_stand_and_the_word_stays_elsewhere(
    names: dict[str, str],
) -> None:
    """What is left is as if names had been such as no sentence holds: so nothing of them is left.

    Where a sentence does not show whether a word is a host's name it goes too: more is hidden, never less.
    """
    drawn = set(names.values())
    names = {**names, **{own: ELSEWHERE[own] for own in OWN}}
    ours, theirs = words_of(redact(renamed(with_tellings(), names))), words_of(told_elsewhere())

    assert len(ours) == len(theirs)
    assert [
        (one, other)
        for one, other in zip(ours, theirs, strict=True)
        if one != other and not (one == "TOKEN" and other in drawn)
    ] == []


@settings(max_examples=15, deadline=None)
@given(clusters())
def test_two_names_are_never_one_token(names: dict[str, str]) -> None:
    """Injective: ends that differ still differ, and ends that are the same are still the same."""
    before = renamed(dns_story(), names)
    after = redact(before)
    ends = {}
    for old, new in zip(before.problems, after.problems, strict=True):
        for one, other in zip(old.connections, new.connections, strict=True):
            for end, token in ((one.source, other.source), (one.destination, other.destination)):
                for name, hidden in (
                    (end.namespace, token.namespace),
                    (end.name, token.name),
                    *zip(end.pods, token.pods, strict=True),
                    *zip(end.ips, token.ips, strict=True),
                ):
                    assert ends.setdefault(name, hidden) == hidden

    assert len(set(ends.values())) == len(ends)


@pytest.mark.parametrize("sample", SAMPLES)
def test_everything_but_names_stays(sample: str) -> None:
    before, after = SAMPLES[sample](), redact(SAMPLES[sample]())

    assert before.totals == after.totals
    assert before.buckets == after.buckets
    assert before.window == after.window
    assert [(p.id, p.code, p.count, p.first, p.explained_by) for p in before.problems] == [
        (p.id, p.code, p.count, p.first, p.explained_by) for p in after.problems
    ]


def test_the_same_report_gives_the_same_tokens() -> None:
    assert redact(dns_story()) == redact(dns_story())


def test_a_token_is_never_a_name_that_was_there() -> None:
    report = renamed(dns_story(), {"frontend": "ns-r1", "web-app": "name-r2", "backend": "pod-rr3"})
    text = msgspec.json.encode(redact(report)).decode()

    assert not re.search(r"ns-r1\b|name-r2\b|pod-rr3\b", text)


def test_manifests_still_read_as_manifests() -> None:
    fix = redact(dns_story()).problems[1].counterfactual
    assert fix is not None
    (manifest,) = fix.manifests

    assert "kind: NetworkPolicy\n" in manifest
    assert "      port: 8080\n" in manifest
    assert "kubernetes.io/metadata.name: " in manifest


def test_evidence_lines_keep_their_shape_and_lose_their_names() -> None:
    raw = redact(dns_story()).problems[0].evidence[0].raw
    flow = msgspec.json.decode(raw)["flow"]

    assert flow["time"] == "2026-03-17T14:03:13.850000000Z"
    assert flow["verdict"] == "DROPPED"
    assert flow["l4"]["UDP"]["destination_port"] == 53
    assert flow["IP"]["source"] == redact(dns_story()).problems[0].source.ips[0]


def test_text_lines_of_evidence_lose_every_word_that_is_not_the_format_s() -> None:
    report = dns_story()
    line = (
        "xx drop (Policy denied) flow 0xa1b2 to endpoint 345, identity 4711->22: "
        "10.0.0.5:41022 -> [2001:db8::1]:443 tcp SYN host=db.corp.example user=mallory"
    )
    evidence = (msgspec.structs.replace(report.problems[0].evidence[0], raw=line),)
    problem = msgspec.structs.replace(report.problems[0], evidence=evidence)
    raw = redact(msgspec.structs.replace(report, problems=(problem,))).problems[0].evidence[0].raw

    for secret in ("10.0.0.5", "2001:db8", "corp", "mallory"):
        assert secret not in raw
    assert "SYN" in raw


@pytest.mark.parametrize("shift", range(0, 23, 5))
def test_hostile_text_is_redacted_without_an_error(shift: int) -> None:
    """And what comes of it can be written and read again."""
    report = redact(hostile(shift=shift))

    text = JsonReporter().render(report, Options())

    assert report.totals == read_report(text.encode()).totals
    assert redact(mixed()).problems


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(alphabet="ab/ é", min_size=1, max_size=9), max_size=8),
    st.text(alphabet="ab/ é.", max_size=60),
)
def test_names_of_several_words_are_found_as_one_pattern_of_all_would_find_them(
    names: list[str], text: str
) -> None:
    """The longest first, not within a word: looked up by first characters, whatever their number."""
    tokens = Tokens(text)
    known = {name: token for name in names if (token := tokens.of(name, "name")) != name}
    odd = sorted((name for name in known if not re.fullmatch("[abé]+", name)), key=len, reverse=True)
    edge = [
        (r"(?<![^\W_])" if name[0].isalnum() else "")
        + re.escape(name)
        + (r"(?![^\W_])" if name[-1].isalnum() else "")
        for name in odd
    ]

    assert tokens.without_odd(text) == re.sub("|".join(edge) or "(?!)", lambda match: known[match[0]], text)


@pytest.mark.parametrize("name", ["batch", "apps", "discovery", "autoscaling"])
def test_a_namespace_called_as_a_group_of_the_api_is_a_name(name: str) -> None:
    """In evidence and manifests too, where the word might be the group."""
    report = renamed(taken_back(), {"frontend": name})
    hidden = redact(report)

    def words(shown: Report) -> list[str]:
        raw = [line.raw for problem in shown.problems for line in problem.evidence]
        changes = [
            change for problem in shown.problems for change in (problem.counterfactual, problem.revert)
        ]
        manifests = [text for change in changes if change for text in change.manifests]
        return re.findall("[A-Za-z]+", " ".join([*raw, *manifests]))

    assert name in words(report)
    assert name not in words(hidden)


@pytest.mark.parametrize(
    "spelling",
    ["2001:DB8::6", "2001:0db8:0:0::0006", "2001:0db8:0000:0000:0000:0000:0000:0006", "2001:db8:0:0:0:0:0:6"],
)
def test_an_address_is_one_token_in_all_its_spellings(spelling: str) -> None:
    tokens = Tokens("")
    texts = Texts(tokens)
    token = texts.address("2001:db8::6")

    assert texts.line(f"SRC={spelling} DST=[{spelling}]:8443") == f"SRC={token} DST=[{token}]:8443"
    assert texts.value(f"{spelling}/48", "ip4") == f"{token}/48"
    assert texts.name(spelling, "name") == token
    assert texts.address("2001:db8::7") != token


def test_the_words_of_a_log_line_and_its_time_stay() -> None:
    texts = Texts(Tokens(""))

    monitor = texts.line(
        "Mar 17 14:03:13.850: shop/web:41022 (ID:19942) <> backend/user-api:8080 DROPPED (UDP)"
    )
    assert monitor.startswith("Mar 17 14:03:13.850: ")
    ovn = texts.line(
        'name="NP:shop:deny-all:Ingress:0", verdict=drop, direction=to-lport: tcp6,nw_frag=no,tcp_flags=syn'
    )
    assert re.fullmatch(
        r'name="NP:\S+-r\d+:\S+-r\d+:Ingress:0", verdict=drop, direction=to-lport: tcp6,nw_frag=no,tcp_flags=syn',
        ovn,
    )


@pytest.mark.parametrize(
    "quoted",
    [
        "app == 'alpha' && team == \"beta\" && gamma in {'delta'} epsilon",
        "alpha's 'beta' \" gamma delta",
        "alpha " * 100,
        "alpha \\",
    ],
)
def test_all_of_a_quoted_text_is_a_stranger_s(quoted: str) -> None:
    """Whatever quotes it has in it, and however long it is."""
    said = f"spec.selector: expected a label at character 3 ({quoted!r}), so nothing is known"
    shown = Texts(Tokens("")).sentence(said)

    assert shown.startswith("spec.selector: expected a label at character 3 ('")
    assert shown.endswith("), so nothing is known")
    assert not re.search("alpha|beta|gamma|delta|epsilon", shown)


@pytest.mark.parametrize("end", ["'alpha beta", "'alpha beta\\", "\"alpha 'beta' gamma"])
def test_a_quote_without_an_end_goes_on_to_the_end(end: str) -> None:
    shown = Texts(Tokens("")).sentence(f"cannot be read: {end}")

    assert shown.startswith("cannot be read: ")
    assert not re.search("alpha|beta|gamma", shown)


@pytest.mark.parametrize("name", ["tangerine", "tangerine/mango", "policy", "team/policy"])
def test_a_policy_that_only_a_sentence_names_is_hidden(name: str) -> None:
    """One that is broken stands in no field."""
    report = dns_story()
    problem = replace(
        report.problems[0],
        notes=(f"GlobalNetworkPolicy {name} cannot be evaluated: spec.selector: expected a label",),
    )
    (note,) = redact(replace(report, problems=(problem,))).problems[0].notes

    assert re.fullmatch(
        r"GlobalNetworkPolicy \S+-r\d+(/\S+-r\d+)? cannot be evaluated: spec.selector: expected a label", note
    )


def test_a_name_behind_its_kind_is_hidden_though_nothing_else_has_it() -> None:
    texts = Texts(Tokens(""))
    shown = texts.sentence("decided by GlobalNetworkPolicy tangerine and in tier mango")

    assert re.fullmatch(r"decided by GlobalNetworkPolicy \S+-r\d+ and in tier \S+-r\d+", shown)
    # flowdiag's own advice, and a namespace that is somebody's
    assert texts.sentence("kubectl -n calico-system port-forward") == "kubectl -n calico-system port-forward"
    token = texts.name("tangerine", "ns")
    assert texts.sentence("kubectl -n tangerine get pods") == f"kubectl -n {token} get pods"


def test_a_missed_range_keeps_its_exception() -> None:
    report = dns_story()
    (first, *others) = report.problems
    miss = Miss(Condition.IP, "2001:DB8:AAAA::/48 except 2001:db8:aaaa:1::/64", "2001:db8:aaaa:1::7")
    view = NearestRuleView(
        kind="NetworkPolicy",
        group="networking.k8s.io",
        namespace="a",
        name="b",
        rule="egress[0]",
        misses=(miss,),
    )
    told = redact(replace(report, problems=(replace(first, nearest=(view,)), *others)))
    (hidden,) = told.problems[0].nearest[0].misses

    assert re.fullmatch(r"ip6-r\d+/48 except ip6-r\d+/64", hidden.wanted or "")


@pytest.mark.parametrize("namespace", ["42", "65536", "8080-8090"])
def test_a_workload_in_a_namespace_that_is_a_number_is_no_port(namespace: str) -> None:
    """Only what stands before a protocol is a port: 42/bob is a name, 42/TCP is none."""
    names = {"frontend": namespace, "web-app": "qxzweb", "promo-banner": "qxzlena", "default-deny": "qxzdeny"}
    for name, text in outputs(redact(renamed(taken_back(), names))).items():
        assert re.findall(r"qxz\w+", text) == [], name
    assert "53/UDP" in outputs(redact(renamed(taken_back(), names)))["terminal"]


def test_a_text_that_stands_in_a_report_often_is_looked_through_once(monkeypatch):
    """Of a million texts of a report some ten thousand are different; a name that is met meanwhile still counts."""
    tokens = Tokens("")
    texts = Texts(tokens)
    asked = []
    monkeypatch.setattr(Words, "word", lambda _self, word, *_: asked.append(word) or word)
    said = ["shop/web", "team=shop", "10.0.0.1"] * 50
    values, lines = ([shown(text, "name") for text in said] for shown in (texts.value, texts.line))

    assert len(asked) == 8
    assert values == lines == said

    odd = tokens.of("shop/web", "name")

    assert texts.value("shop/web", "name") == texts.line("shop/web") == odd != "shop/web"
