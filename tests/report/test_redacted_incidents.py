"""Every incident redacted: in no format does a name, an address or a label of the cluster stand."""

from __future__ import annotations

import io
import re
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flowdiag.model.report import Report
from flowdiag.parserkit.registry import available, load
from flowdiag.report import GROUP, Options
from flowdiag.report.redact import redact
from flowdiag.report.redact.keys import is_common_group, is_common_key
from flowdiag.report.redact.words import ENTITIES, PUBLIC, is_number
from tests.report.test_redact import PLAIN
from tests.report.test_whole_incidents import INCIDENTS, report_of

FORMATS = [name for name in available(GROUP) if name not in ("png", "parquet")]


@cache
def redacted(incident: str) -> Report:
    return redact(report_of(incident))


def secrets(report: Report) -> set[str]:
    """Every name, address and label that the report's fields hold, and those of the raw evidence's fields."""
    found: set[str] = set()

    def walk(value: Any, key: str, path: tuple[str, ...]) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                if key == "labels" and not is_common_key(name):
                    found.add(name)
                if key == "by_node":
                    found.add(name)
                entity = name == "name" and value.get("kind") == "entity" and item in ENTITIES
                if key != "reason" and not entity:
                    walk(item, "labels-value" if key == "labels" else name, (*path, key))
        elif isinstance(value, list | tuple):
            for item in value:
                walk(item, key, path)
        elif isinstance(value, str) and path[-1:] not in (("generator",), ("parsers",)):
            if key in (
                "namespace",
                "name",
                "pods",
                "node",
                "path",
                "input",
                "by",
                "dns_names",
                "ips",
                "labels-value",
            ):
                found.add(value)
            if key == "raw":
                found.update(re.findall(r'"(?:pod_name|node_name|uuid|cluster_name)":"([^"]+)"', value))
                found.update(re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", value))
                found.update(re.findall(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", value))

    walk(msgspec.to_builtins(report), "", ())
    # Some policies are called as the catalogue calls their mistakes.
    slugs = {problem.slug for problem in report.problems}
    return {
        name
        for name in found - slugs - PUBLIC
        if len(name) > 1
        and not is_number(name)
        and not is_common_group(name)
        and not name.startswith("reserved:")
    }


ALSO_OURS = frozenset({"reporter", "report", "data"})
"""Names of the incidents that a format or a page has as a word of its own: ``"reporter":``, "the report"."""


def stands_as_a_name(name: str) -> re.Pattern[str]:
    """Anywhere; those few that formats use themselves beside / or =, or as a value."""
    word = re.escape(name)
    if name not in ALSO_OURS:
        return re.compile(rf"(?<![A-Za-z0-9]){word}(?![A-Za-z0-9])")
    return re.compile(
        rf"(?<![A-Za-z0-9]){word}/(?=[a-z])|(?<=[a-z0-9]/){word}(?![\w-])|(?:app|name|namespace|pod)[=:] ?\"?{word}(?![\w-])"
    )


@pytest.mark.parametrize("incident", INCIDENTS)
def test_there_is_something_to_hide(incident: str) -> None:
    assert len(secrets(report_of(incident))) > 20


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("incident", INCIDENTS)
def test_no_original_stands_in_any_format(incident: str, name: str) -> None:
    text = load(GROUP, name).plugin.render(redacted(incident), Options(width=160, verbose=True, all=True))
    left = sorted(secret for secret in secrets(report_of(incident)) if stands_as_a_name(secret).search(text))

    assert left == []


@pytest.mark.parametrize("incident", INCIDENTS)
def test_parquet_hides_them_too(incident: str, parquet: Any) -> None:
    table = parquet.read_table(
        io.BytesIO(load(GROUP, "parquet").plugin.render(redacted(incident), Options()))
    )
    cells = " ".join(str(cell) for column in table.columns for cell in column.to_pylist())

    assert [s for s in secrets(report_of(incident)) if stands_as_a_name(s).search(cells)] == []


@pytest.mark.parametrize("incident", INCIDENTS)
def test_two_names_stay_two(incident: str) -> None:
    """Injective over all ends: as many workloads, pods and addresses as before, and the same story."""
    before, after = report_of(incident), redacted(incident)

    def ends(report: Report) -> list[set[Any]]:
        every = [end for p in report.problems for c in p.connections for end in (c.source, c.destination)]
        return [
            {(end.namespace, end.name) for end in every},
            {pod for end in every for pod in end.pods},
            {ip for end in every for ip in end.ips},
        ]

    assert list(map(len, ends(before))) == list(map(len, ends(after)))
    assert [(p.id, p.code, p.count) for p in before.problems] == [
        (p.id, p.code, p.count) for p in after.problems
    ]
    assert before.totals == after.totals


@pytest.mark.parametrize("incident", INCIDENTS)
def test_redacting_again_changes_nothing(incident: str) -> None:
    """Its tokens keep their meaning."""
    assert redact(redacted(incident)) == redacted(incident)


@pytest.mark.parametrize("incident", INCIDENTS)
def test_a_report_that_only_says_that_it_is_redacted_is_redacted(incident: str) -> None:
    """A warning is soon written: names go whatever a report says about itself."""
    original = report_of(incident)
    mark = redacted(incident).warnings[0]
    forged = redact(replace(original, warnings=(mark, *original.warnings)))

    assert forged == redacted(incident)


def test_what_was_left_in_a_report_goes_when_it_is_redacted_again() -> None:
    """Some of its names were put back: then it is redacted no more, and what is spelt as a token may be a name too."""
    once = redacted("default-deny-egress")
    problem = once.problems[0]
    back = replace(problem, source=replace(problem.source, name="web-r2", namespace="shop-prod"))
    again = redact(replace(once, problems=(back, *once.problems[1:])))
    text = msgspec.json.encode(again).decode()

    assert "web-r2" not in text
    assert "shop-prod" not in text
    tokens = re.compile(r"\b(?:ns|name|pod|node|host|ip4)-r+\d+\b")
    before, after = (
        tokens.findall(msgspec.json.encode(one.problems[1].connections).decode()) for one in (once, again)
    )
    assert len(before) == len(after) > 3
    assert not set(before) & set(after)
    # One for one.
    assert len(set(before)) == len(set(after)) == len(set(zip(before, after, strict=True)))


@pytest.mark.parametrize("name", ["ns-r1", "name-r2", "pod-rr3"])
def test_a_name_that_is_spelt_as_a_token_goes_though_the_report_says_that_it_is_redacted(name: str) -> None:
    """Where any other name is left, nothing that it says of itself is believed."""
    original = report_of("default-deny-egress")
    mark = redacted("default-deny-egress").warnings[0]
    text = msgspec.json.encode(original).decode().replace("promo-banner", name)
    forged = msgspec.json.decode(text, type=Report)
    hidden = redact(replace(forged, warnings=(mark, *forged.warnings)))
    left = msgspec.json.encode(hidden).decode()

    assert name in text
    assert not re.search(rf"(?<![\w-]){name}(?![\w-])", left)
    assert hidden == redact(forged)
    assert redact(hidden) == hidden


OF_INCIDENTS = {
    "calico-log-lines": ("payments", "ledger", "gateway", "checkout", "watch-api", "pay-api", "edge"),
    "calico-whisker": ("payments", "ledger", "gateway", "checkout", "watch-api", "pay-api", "edge"),
    "default-deny-egress": ("frontend", "backend", "web-app", "promo-banner", "user-api", "shop-prod"),
    "ingress-other-namespace": ("payments", "ledger", "gateway", "checkout", "edge", "node-a", "node-b"),
    "five-tellings": ("shop", "db-ingress", "api-ingress", "tales", "kubectl-client-side-apply"),
}


def with_names(incident: str, names: dict[str, str]) -> Report:
    """The incident as it would be told of a cluster whose namespaces, workloads and nodes are called so."""
    words = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    text = re.sub(
        rf"(?<![\w-])(?:{words})(?![\w-])",
        lambda match: names[match[0]],
        msgspec.json.encode(report_of(incident)).decode(),
    )
    return msgspec.json.decode(text, type=Report)


@cache
def with_letters(incident: str) -> Report:
    """The incident redacted where its names are such as no sentence holds."""
    letters = [f"qxz{letter}" for letter in "abcdefg"]
    return redact(with_names(incident, dict(zip(OF_INCIDENTS[incident], letters, strict=False))))


@pytest.mark.parametrize("incident", OF_INCIDENTS)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_an_incident_reads_the_same_whatever_words_its_names_are(incident: str, data: st.DataObject) -> None:
    """With names such as "policy", "to" or "created", the same places hold tokens; no other word goes than a name."""
    names = OF_INCIDENTS[incident]
    drawn = data.draw(st.lists(st.sampled_from(PLAIN), min_size=len(names), max_size=len(names), unique=True))

    def places(hidden: Report) -> list[str]:
        # Which token it is may differ: a name may be called as another one is.
        text = re.sub(r"[a-z0-9]+-r\d+", "TOKEN", msgspec.json.encode(hidden).decode())
        return re.findall(r"\w+|\W", text)

    # Where a sentence does not show whether a word is a host's name it is taken for one: it hides more, never less.
    ours = places(redact(with_names(incident, dict(zip(names, drawn, strict=True)))))
    theirs = places(with_letters(incident))
    assert len(ours) == len(theirs)
    assert [
        (one, other)
        for one, other in zip(ours, theirs, strict=True)
        if one != other and not (one == "TOKEN" and other in drawn)
    ] == []
