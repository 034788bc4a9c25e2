"""A redacted report tells the same story and names nobody, in whatever format it is written."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.model.report import Report
from flowdiag.parserkit.registry import load_all
from flowdiag.report import GROUP, Options
from flowdiag.report.json_report import JsonReporter
from flowdiag.report.read import read_report
from flowdiag.report.redact import _Tokens, redact
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


@settings(max_examples=12, deadline=None)
@given(clusters())
def test_no_original_name_is_left_in_any_output(names: dict[str, str]) -> None:
    report = renamed(taken_back(), names)
    present = [name for name in names.values() if name in msgspec.json.encode(report).decode()]
    for name, text in outputs(redact(report)).items():
        left = [original for original in present if original in text]

        assert left == [], name


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
    st.lists(st.text(alphabet="ab-.1é", min_size=1, max_size=9), max_size=8),
    st.text(alphabet="ab-.1é ", max_size=60),
)
def test_names_are_found_as_one_pattern_of_all_would_find_them(names: list[str], text: str) -> None:
    """The longest first, long ones anywhere, short ones as words: looked up by first characters."""
    tokens = _Tokens(text)
    known = {name: token for name in names if (token := tokens.take(name, "name")) != name}
    parts = [
        re.escape(name) if len(name) >= 6 else rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])"
        for name in sorted(known, key=lambda name: (-len(name), name))
    ]

    assert tokens.replaced(text) == re.sub("|".join(parts) or "(?!)", lambda match: known[match[0]], text)


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
