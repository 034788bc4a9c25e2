"""FD601: how old pods were at their first refusals is a chart with its numbers in a table."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))

import small_cluster

from flowdiag.analysis import analyze
from flowdiag.model.report import Report
from flowdiag.parserkit.registry import load
from flowdiag.report import GROUP, Options
from flowdiag.report.charts import age_bins
from flowdiag.report.read import read_report
from tests.report.sample_reports import dns_story


def young(*ages: float) -> Report:
    report = dns_story()
    problem = replace(report.problems[0], code="FD601", slug="start-up-window", pod_ages_s=ages)
    return replace(report, problems=(problem, *report.problems[1:]))


def page(report: Report) -> str:
    text: str = load(GROUP, "html").plugin.render(report, Options())
    return text


@pytest.mark.parametrize(
    ("ages", "bins"),
    [((), []), ((0.2,), [1]), ((0.2, 0.9, 3.0, 3.999), [2, 0, 0, 2]), ((900.0,), [0] * 29 + [1])],
)
def test_ages_are_counted_by_whole_seconds(ages: tuple[float, ...], bins: list[int]) -> None:
    assert age_bins(young(*ages)) == bins


def test_the_page_has_the_chart_its_words_and_its_numbers() -> None:
    text = page(young(0.2, 0.9, 3.0))

    assert 'aria-labelledby="ages-title ages-desc"' in text
    assert "First refusals by the pod&#x27;s age: 2 flows at 0 s, 1 flow at 3 s." in text.replace(
        "&#39;", "&#x27;"
    ).replace("pod's", "pod&#x27;s")
    table = text[text.index("First refusals by the age of the pod") :]
    rows = re.findall(
        r'<th scope="row">(\d+ to \d+)</th><td class="n">(\d+)</td>', table[: table.index("</table>")]
    )
    assert rows == [("0 to 1", "2"), ("3 to 4", "1")]
    assert read_report(text.encode()).problems[0].pod_ages_s == (0.2, 0.9, 3.0)


def test_without_young_pods_there_is_no_chart() -> None:
    assert "ages-title" not in page(dns_story())


def test_an_analysis_counts_the_pods_that_were_refused_in_their_first_seconds(tmp_path: Path) -> None:
    """Two pods, refused 1.5 s and 4 s after they began and let through later, where the policies allow it."""
    items = [small_cluster.namespace("shop"), small_cluster.namespace("data")]
    lines = []
    for number, (born, first) in enumerate([(0, 1.5), (100, 104)]):
        name, ip = f"web-5d9c7b6f4-x2v4{number}", f"10.0.0.{5 + number}"
        source = small_cluster.end("shop", name, ip, "web")
        items.append(small_cluster.pod("shop", name, ip, "web", created=small_cluster.at(born)))
        lines.append(small_cluster.record(first, source))
        lines.extend(small_cluster.record(first + 20 + n, source, verdict="FORWARDED") for n in range(3))
    items.append(small_cluster.pod("data", "db-7f6b5c4d6-k8m2n", "10.0.1.7", "db"))
    (tmp_path / "state.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    for kind in ("NetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"):
        group = "networking.k8s.io/v1" if kind == "NetworkPolicy" else "cilium.io/v2"
        (tmp_path / f"{kind}.json").write_text(
            json.dumps({"apiVersion": group, "kind": f"{kind}List", "items": []})
        )
    (tmp_path / "flows.jsonl").write_text("".join(lines))
    report = analyze([str(tmp_path)])

    assert [(p.code, p.pod_ages_s) for p in report.problems] == [("FD601", (1.5, 4.0))]
    assert age_bins(report) == [0, 1, 0, 0, 1]
