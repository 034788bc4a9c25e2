"""Hosts and nodes stand in sentences without a namespace: they are hidden there whatever word they are.

The words are taken from the sentences themselves and from no list of flowdiag's.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flowdiag.diagnose.registry import rules
from flowdiag.model.report import EvidenceGap, Report
from flowdiag.parserkit.registry import available, load
from flowdiag.report import GROUP, Options
from flowdiag.report.redact import redact
from tests.report.test_whole_incidents import INCIDENTS, report_of

FORMATS = [name for name in available(GROUP) if name not in ("png", "parquet")]
INCIDENT = "default-deny-egress"
HOST, NODE = "content.example.net", "worker-2"
RARE = {HOST: "qxzhost", NODE: "qxznode"}
SAID_OF_NODES = (
    "37 records were lost on worker-2 at 14:06:31 UTC (FD801): counts are lower bounds.",
    "37 records were lost on worker-2 between 14:06:31 and 14:07:31 UTC (FD801): counts are lower bounds.",
    "The agent on worker-2 restarted at 14:06:31 UTC, and frontend/web-app was refused only around that time.",
    (
        "The agent on worker-2 could not install policy entries from 14:06:31 UTC on (policy map), and node worker-2 "
        "refused content.example.net (198.51.100.80) then."
    ),
    "Nothing was recorded on worker-2, where frontend/web-app runs: what its side would have said is not known.",
    "The record says that the egress side of frontend/web-app let it through on worker-2, but no rule admits it.",
    "refused on worker-2 while its agent restarted",
    (
        "the clocks of worker-2 and shop-prod/worker-2 are 4.2 s apart: whether NetworkPolicy frontend/web was created "
        "before the first refusal or after it is not certain"
    ),
    "worker-2's clock is 4.2 s ahead",
)
SAID_OF_HOSTS = (
    "content.example.net (198.51.100.80) to frontend/web-app on 443/TCP was let through.",
    "Admit content.example.net (198.51.100.80) in NetworkPolicy frontend/web egress[0]",
    "NetworkPolicy frontend/web egress[0] denies content.example.net (198.51.100.80) at frontend/web-app; first match wins.",
    "frontend/promo-banner -> content.example.net 443/TCP: seen until about 14:02:35 UTC, absent while lookups were refused",
    "kubectl exec -n frontend deploy/web-app -- nc -zvw3 content.example.net 443",
)


def strings(value: Any, key: str = "") -> list[str]:
    if isinstance(value, dict):
        return [text for name, item in value.items() for text in strings(item, name)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in strings(item, key)]
    return [value] if isinstance(value, str) and key in ("title", "advice", "summary", "notes") else []


@cache
def spoken() -> list[str]:
    """Every lower-case word of every sentence in the incidents' reports and of every diagnosis' title."""
    told = [text for incident in INCIDENTS for text in strings(msgspec.to_builtins(report_of(incident)))]
    told += [rule.title for rule in rules()] + [
        *SAID_OF_NODES,
        *SAID_OF_HOSTS,
        "missing evidence database worker",
    ]
    # "kube-system" and the like stay in every report; a digit may be any number.
    found = set(re.findall(r"(?<![\w/.=-])[a-z]{1,20}(?![\w/.=-])", " ".join(told)))
    return sorted(found - {"coredns", "kubernetes", "s"})


@cache
def story() -> Report:
    """The incident with a record of every way in which sentences speak of nodes and hosts."""
    report = report_of(INCIDENT)
    first, *others = report.problems
    gap = EvidenceGap(node=NODE, since=None, to=None, kind="lost-events", lost=37)
    evidence = replace(report.evidence, gaps=(*report.evidence.gaps, gap))
    first = replace(first, notes=(*first.notes, *SAID_OF_NODES, *SAID_OF_HOSTS))
    outside = next(p for p in others if HOST in p.title)
    # What else it holds stands among the others.
    bare = replace(
        outside,
        connections=(),
        isolating=(),
        references=(),
        summary="",
        advice="",
        counterfactual=None,
        revert=None,
        recorded=(),
        nearest=(),
        changes=(),
        evidence=(),
        verify=(),
        notes=(),
    )
    titles = [
        replace(
            bare,
            id=f"{outside.id}{number}",
            title=rule.title.format(source=source, destination=destination, port="443/TCP"),
        )
        for number, rule in enumerate(rules())
        for source, destination in (("frontend/promo-banner", HOST), (HOST, "frontend/promo-banner"))
    ]
    return replace(report, problems=(first, *others, *titles), evidence=evidence)


def called(report: Report, names: dict[str, str]) -> Report:
    pattern = re.compile("|".join(rf"(?<![\w.-]){re.escape(name)}(?![\w-])" for name in names))
    text = pattern.sub(lambda match: names[match[0]], msgspec.json.encode(report).decode())
    return msgspec.json.decode(text, type=Report)


@cache
def incident_of(words: tuple[str, str]) -> Report:
    """The incident as it was, redacted, with these for a host's and a node's name."""
    return redact(called(report_of(INCIDENT), dict(zip(RARE, words, strict=True))))


@cache
def with_rare_names() -> Report:
    return redact(called(story(), RARE))


@cache
def rare_sentences() -> list[str]:
    return list(map(as_read, strings(msgspec.to_builtins(with_rare_names()))))


def as_read(text: str) -> str:
    """A text whose tokens are all alike: which number a token has depends on the names' spelling."""
    return re.sub(r"[a-z0-9]+-r+\d+", "TOKEN", text)


OPTIONS = Options(width=10_000, verbose=True, all=True)


@cache
def rendered_rare(name: str) -> str | bytes:
    return load(GROUP, name).plugin.render(incident_of((RARE[HOST], RARE[NODE])), OPTIONS)


PAIRS = st.lists(st.sampled_from(spoken()), min_size=2, max_size=2, unique=True)


def sentences(words: list[str]) -> list[str]:
    hidden = redact(called(story(), dict(zip(RARE, words, strict=True))))
    return list(map(as_read, strings(msgspec.to_builtins(hidden))))


@settings(max_examples=40, deadline=None)
@given(PAIRS)
@example(["to", "on"])
@example(["reach", "lost"])
@example(["was", "refused"])
def test_a_host_or_node_that_is_a_word_is_hidden_in_every_sentence(words: list[str]) -> None:
    """Wherever names that are no words are hidden these are: a sentence may lose a word of its own at most."""
    ours, theirs = (" ".join(told).split() for told in (sentences(words), rare_sentences()))

    assert len(ours) == len(theirs)
    assert [
        (one, other) for one, other in zip(ours, theirs, strict=True) if "TOKEN" in other and one != other
    ] == []


@pytest.mark.parametrize(
    "words", [["database", "worker"], ["evidence", "missing"], ["policy", "lost"], ["names", "agent"]]
)
def test_sentences_keep_their_own_words(words: list[str]) -> None:
    """They read letter by letter as in a cluster whose names are no words, which word is a name they do not tell."""
    assert sentences(words) == rare_sentences()


def test_no_sentence_holds_the_rare_names() -> None:
    """What the others are compared with is itself without a name."""
    assert "qxz" not in msgspec.json.encode(with_rare_names()).decode()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("words", [("database", "worker"), ("evidence", "missing"), ("policy", "lost")])
def test_every_format_reads_as_if_the_names_were_no_words(name: str, words: tuple[str, str]) -> None:
    reporter = load(GROUP, name).plugin
    assert reporter.render(incident_of(words), OPTIONS) == rendered_rare(name)


@pytest.mark.parametrize("node", ["qxznode", "qxz-eu/qxznode", "77115", "lost"])
@pytest.mark.parametrize(
    "said",
    [
        "Nothing was recorded on NODE, where frontend/web-app runs: what its side would have done is not seen.",
        "The agent on NODE restarted at 2026-03-17 14:06:31 UTC, and frontend/web-app was refused only around that time.",
        "refused on NODE while its agent could not install policy entries",
        "37 records were lost on NODE at 2026-03-17 14:06:31 UTC (FD801): counts are lower bounds.",
    ],
)
def test_a_node_that_only_a_sentence_names_is_hidden(node: str, said: str) -> None:
    """A node of which nothing was recorded is in no field."""
    report = report_of(INCIDENT)
    first, *others = report.problems
    (problem, *_) = redact(
        replace(report, problems=(replace(first, notes=(said.replace("NODE", node),)), *others))
    ).problems
    (note,) = problem.notes

    before, _, behind = said.replace("frontend/web-app", "TOKEN/TOKEN").partition("NODE")
    assert as_read(note) == f"{before}TOKEN{behind}"


def test_a_node_of_a_mark_is_hidden_in_the_sentences_about_its_agent() -> None:
    report = report_of(INCIDENT)
    first, *others = report.problems
    mark = replace(report.timeline[0], kind="signal", text="agent-started on 77115: level=info msg=started")
    told = replace(first, notes=("the clocks of 77115 and worker-2 are 4.2 s apart",))
    shown = redact(replace(report, timeline=(mark,), problems=(told, *others)))

    assert "77115" not in msgspec.json.encode(shown).decode()
