"""The page in a real browser, with the network refused: no error, no violation, no request, and it works."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from flowdiag.model.report import Report
from flowdiag.report import Options
from flowdiag.report.html import HtmlReporter
from flowdiag.report.json_report import json_bytes
from tests.html.browser import Opened, Tab, chromium
from tests.report.sample_reports import (
    HOSTILE,
    SAMPLES_AND_HOSTILE,
    dns_story,
    hostile,
    on_nodes,
    taken_back,
    three_days,
)
from tests.report.test_whole_incidents import INCIDENTS, report_of

Open = Callable[..., Opened]

_pages: dict[bytes, str] = {}


def text_of(report: Report) -> str:
    """The page, drawn once for all tests that look at it."""
    key = json_bytes(report)
    if key not in _pages:
        _pages[key] = HtmlReporter().render(report, Options())
    return _pages[key]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def tab_with(browser: Any) -> Iterator[Callable[..., Tab]]:
    """One tab for all tests that want the same settings."""
    tabs: dict[str, Tab] = {}

    def found(**context: Any) -> Tab:
        key = repr(sorted(context.items()))
        if key not in tabs:
            tabs[key] = Tab(browser, **context)
        return tabs[key]

    yield found
    for tab in tabs.values():
        tab.close()


@pytest.fixture
def opened(tab_with: Callable[..., Tab], tmp_path: Path) -> Open:
    """Shows a report where the one before it with the same settings was."""
    count = itertools.count()

    def show(report: Report, fragment: str = "", **context: Any) -> Opened:
        file = tmp_path / f"report-{next(count)}.html"
        file.write_text(text_of(report), encoding="utf-8")
        return Opened(tab_with(**context), file, fragment)

    return show


REPORTS = {**SAMPLES_AND_HOSTILE, "three-days": three_days, "nodes": on_nodes, "taken-back": taken_back}


@pytest.mark.parametrize("sample", REPORTS)
def test_it_loads_without_errors_violations_or_requests(opened: Open, sample: str) -> None:
    page = opened(REPORTS[sample]())

    assert page.messages == []
    assert [url for url in page.requests if not url.startswith("file:")] == []
    assert len(page.requests) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "sample", ["dns-story", "mixed", "empty", "nothing-known", "three-days", "nodes", "taken-back"]
)
def test_axe_finds_no_violation(opened: Open, sample: str, scheme: str) -> None:
    """axe-core's rules for WCAG 2.2 and its best practices, with everything unfolded."""
    axe = pytest.importorskip(
        "axe_playwright_python.base", reason="axe-playwright-python is not installed (group browser)"
    )
    page = opened(REPORTS[sample](), color_scheme=scheme)
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    # Through DevTools, which the page's own policy does not bind.
    page.run(axe.AXE_FILE_PATH.read_text(encoding="utf-8"))
    found = page.run("axe.run(document, {resultTypes: ['violations', 'incomplete']})")
    told = [(v["id"], [node["html"][:200] for node in v["nodes"]][:3]) for v in found["violations"]]

    assert told == []
    assert len(found["passes"]) > 20


@pytest.mark.parametrize("shift", range(0, len(HOSTILE), 6))
def test_nothing_of_a_stranger_becomes_an_element(opened: Open, shift: int) -> None:
    """Whatever the names hold, the page has the elements and attributes that the template has."""
    page = opened(hostile(shift=shift))

    assert page.messages == []
    assert page.run("document.scripts.length") == 2
    assert page.run("document.querySelectorAll('img,iframe,object,embed,link,base,form').length") == 0
    handlers = "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => /^on/i.test(a.name))).length"
    assert page.run(handlers) == 0
    links = "[...document.links].filter(a => !/^(#|https:)/.test(a.getAttribute('href'))).length"
    assert page.run(links) == 0


def test_the_policy_forbids_scripts_that_are_not_ours(opened: Open) -> None:
    page = opened(dns_story())
    page.run(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.hit = 1'; document.body.append(s); })()"
    )

    assert None is page.run("window.hit")
    assert any("Content Security Policy" in message for message in page.messages)


_TERMS = [
    ("", 5),
    ("port:53", 3),
    ("to-port:53", 3),
    ("port:5", 0),
    ("protocol:tcp", 3),
    ("from:web-app", 3),
    ("from:10.244.1.28", 3),
    ("from-pod:dmb4f", 3),
    ("from:tier=edge", 3),
    ("to:coredns from:promo", 1),
    ("to:content.example.net", 1),
    ("source:web-app destination:coredns", 2),
    ("code:fd101", 2),
    ("class:fd101", 2),
    ("-class:fd401", 2),
    ("severity:medium", 1),
    ("verdict:denied", 5),
    ("direction:egress", 5),
    ("policy:frontend/allow-dns", 4),
    ("user-api", 1),
    ("constructor:x", 5),
    ("type:trace", 0),
    ("1773756193", 0),
    ("nothing-like-it", 0),
]


def test_the_filter_speaks_hubble_s_words(opened: Open) -> None:
    page = opened(dns_story())

    for terms, rows in _TERMS:
        # Every term begins with all of the page, so that none passes by what the one before it left.
        page.page.fill("#filter", "")
        page.page.fill("#filter", terms)
        assert (terms, rows) == (terms, page.rows())
        assert page.messages == [], terms


def _hubble_words() -> list[tuple[str, int]]:
    """Terms and how many of the four connections of default-deny-egress they leave, as its fixture has them."""
    sums = {
        4: "verdict:DROPPED namespace:frontend from-namespace:frontend ip:10.244.0.0/16 label:app type:drop "
        "traffic-direction:egress drop-reason-desc:POLICY_DENIED --verdict=DROPPED",
        2: "pod:web-app from-pod:frontend/web-app from-pod:web-app-d5f3fa262-dmb4f ip:10.244.1.28 from-ip:10.244.1.28 "
        "label:app=web-app from-label:app=web-app,tier=edge to-label:k8s:k8s-app=kube-dns port:53 to-port:53 "
        "protocol:udp identity:19942 from-identity:19942 workload:web-app from-workload:deployment/web-app",
        1: "to-namespace:backend to-pod:backend/user-api to-ip:198.51.100.80 to-ip:198.51.100.0/24 k8s:app=user-api "
        "to-label:reserved:world reserved:world fqdn:content to-fqdn:*.example.net to-identity:12996 to-workload:user-api",
        0: "verdict:FORWARDED verdict:AUDIT namespace:front to-pod:web-app to-ip:10.244.1.28 label:app=web type:l7 "
        "ip:10.244.1.2 to-namespace:frontend port:5 fqdn:nothing.example.org",
    }
    words = [(term, rows) for rows, terms in sums.items() for term in terms.split()]
    return [
        *words,
        ("not port:53", 2),
        ("-port:53", 2),
        ("not verdict:DROPPED", 0),
        ("--port 53 --from-pod frontend/web-app", 1),
        ("--not --port 53", 2),
        ("from-pod:web-app not to-namespace:backend", 1),
    ]


def test_every_word_of_hubble_s_filters_does_what_it_says(opened: Open) -> None:
    page = opened(report_of("default-deny-egress"))

    assert page.rows() == 4
    for term, rows in _hubble_words():
        page.page.fill("#filter", term)
        assert (term, page.rows()) == (term, rows)
        assert bool(page.page.inner_text("#filter-hint")) is (rows == 0), term
    assert page.messages == []


_NODES_AND_RANGES = [
    ("node:node-a", 1),
    ("to-node:node", 2),
    ("not node:node-b", 5),
    ("ip:2001:db8:bad::/48", 1),
    ("from-ip:2001:db8:bad:8000::/49", 0),
    ("ip:2001:db8::/32", 2),
    ("from-ip:203.0.113.0/24", 2),
    ("from-ip:203.0.113.0/33", 0),
    ("from-ip:2001:db8:bad:1:2:3:4:5:6/8", 0),
    ("ip:::/0", 2),
]


def test_nodes_and_ranges_of_both_families_are_found(opened: Open) -> None:
    """Ends that are nodes, and addresses within a range, of whichever family."""
    page = opened(report_of("ingress-other-namespace"))

    for term, rows in _NODES_AND_RANGES:
        page.page.fill("#filter", "")
        page.page.fill("#filter", term)
        assert (term, page.rows()) == (term, rows)
        assert page.messages == [], term


_HINTS = [
    ("node-name:worker-2", "nothing here has node-name:, so node-name:worker-2 is left out"),
    ("not http-status:500", "nothing here has http-status:, so http-status:500 is left out"),
    ("service:shop/web", "nothing here has service:"),
    ("from-fqdn:x", "nothing here has from-fqdn:"),
    ("start:1", "nothing here has start:"),
    ("constructor:x", "nothing here has constructor:"),
]


def test_what_the_filter_cannot_do_it_says(opened: Open) -> None:
    """The term is left out and the rest of the filter holds: no empty page without a word."""
    page = opened(report_of("default-deny-egress"))

    for term, hint in _HINTS:
        page.page.fill("#filter", f"{term} port:53")
        assert (term, page.rows()) == (term, 2)
        assert hint in page.page.inner_text("#filter-hint")
        assert page.page.get_attribute("#filter-hint", "aria-live") == "polite"
        page.page.fill("#filter", "fd00:10::1")
        assert page.page.inner_text("#filter-hint") == "fd00:10::1 fits no refused connection"
        page.page.click("#clear")
        assert page.page.locator("#filter-hint").is_hidden(), term


def test_the_filter_hides_everything_else_too_and_says_how_much_is_left(opened: Open) -> None:
    page = opened(dns_story())
    page.page.fill("#filter", "port:8080")
    count = page.page.locator

    assert count("article:not(.filtered)").count() == 1
    assert count(".lead li:not(.filtered)").count() == 1
    assert count("td[data-cell]:not(.faded)").count() == 1
    assert count(".marks tr[data-of]:not(.filtered)").count() == 2
    assert count("#filter-state").inner_text() == "1 of 5 connections, 1 of 4 problems"
    page.page.click("#clear")
    assert page.rows() == 5
    assert count(".faded").count() == 0


def test_dragging_over_the_chart_filters_everything_by_time(opened: Open) -> None:
    page = opened(dns_story())
    chart = page.page.locator("#brushed svg.chart")

    def drag(start: float, end: float) -> None:
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        scale = box["width"] / 1000
        page.page.mouse.move(box["x"] + start * scale, box["y"] + 100 * scale)
        page.page.mouse.down()
        page.page.mouse.move(box["x"] + end * scale, box["y"] + 100 * scale)
        page.page.mouse.up()

    # The first two of twenty minutes: nothing was refused yet.
    drag(62, 148)
    assert page.rows() == 0
    assert "14:00:" in page.page.inner_text("#brush-state")
    assert page.page.locator("#changes ~ .scroll tbody tr:not(.filtered)").count() == 0
    drag(700, 900)
    assert page.rows() == 2
    assert page.page.locator("#policies ~ .scroll tr[data-of]:not(.filtered)").count() == 2


def test_a_click_takes_one_bar_and_another_lets_go(opened: Open) -> None:
    page = opened(dns_story())
    chart = page.page.locator("#brushed svg.chart")
    chart.scroll_into_view_if_needed()
    scale = chart.bounding_box()["width"] / 1000
    place = {"x": (60 + 880 * 4.2 / 20) * scale, "y": 150 * scale}
    chart.click(position=place)

    assert page.page.inner_text("#brush-state") == "2026-03-17 14:04:00 to 2026-03-17 14:04:30 UTC"
    assert 0 < page.rows() < 5
    chart.click(position=place)
    assert page.page.inner_text("#brush-state") == "all times"
    assert page.rows() == 5


def test_the_sliders_do_the_same_from_the_keyboard(opened: Open) -> None:
    page = opened(dns_story())
    page.page.focus("#brush-to")
    page.page.keyboard.press("Home")

    assert page.rows() == 0
    page.page.keyboard.press("End")
    assert page.rows() == 5


def test_the_whole_page_works_from_the_keyboard(opened: Open) -> None:
    """Skip link, filter by /, Escape, sorting, folding: without a mouse."""
    page = opened(dns_story())
    keys = page.page.keyboard
    keys.press("Tab")
    assert page.run("document.activeElement.className") == "skip"
    keys.press("/")
    assert page.run("document.activeElement.id") == "filter"
    keys.type("port:8080")
    assert page.rows() == 1
    keys.press("Escape")
    assert page.rows() == 5
    page.page.focus("#denials-table thead th:nth-child(7) button")
    keys.press("Enter")
    assert page.run("document.querySelectorAll('#denials-table thead th')[6].ariaSort") == "descending"
    page.page.focus("#p2 summary")
    before = page.run("document.querySelector('#p2 details').open")
    keys.press("Enter")
    assert page.run("document.querySelector('#p2 details').open") is not before
    unreachable = """[...document.querySelectorAll('.scroll, pre:not([hidden])')].filter(e => e.scrollWidth > e.clientWidth && e.tabIndex < 0).length"""
    assert page.run(unreachable) == 0


def test_clicking_a_head_sorts_and_says_so(opened: Open) -> None:
    page = opened(dns_story())
    counts = (
        "[...document.querySelectorAll('#denials-table tbody tr')].map(r => Number(r.cells[6].dataset.value))"
    )
    head = page.page.locator("#denials-table thead button").nth(6)
    head.click()

    assert page.run(counts) == [160, 102, 39, 32, 4]
    head.click()
    assert page.run(counts) == [4, 32, 39, 102, 160]
    page.page.locator("#denials-table thead button").nth(2).click()
    names = page.run(
        "[...document.querySelectorAll('#denials-table tbody tr')].map(r => r.cells[2].textContent)"
    )
    assert names == sorted(names)


def test_a_deep_link_shows_its_problem_whatever_the_filter(opened: Open) -> None:
    page = opened(dns_story(), "#p2")
    top = "document.getElementById('p2').getBoundingClientRect().top"

    assert 0 <= page.run(top) < 300
    page.page.fill("#filter", "class:fd401")
    assert page.page.locator("#p2").is_hidden()
    page.run("location.hash = '#p1'")
    page.run("location.hash = '#p2'")
    page.page.wait_for_function("!document.getElementById('p2').classList.contains('filtered')")
    assert page.page.locator("#p2").is_visible()


def test_a_strange_fragment_is_no_error(opened: Open) -> None:
    assert opened(dns_story(), "#%E0%A4%A").messages == []


def test_times_turn_into_the_reader_s_zone_and_back(opened: Open) -> None:
    page = opened(dns_story(), timezone_id="Asia/Kolkata")
    first = page.page.locator(".marks time").first
    said = page.page.locator("#p1 .meta time.said").first
    written, sentence = first.inner_text(), said.inner_text()
    page.page.click("#zone")

    assert written == "2026-03-17 14:03:12"
    assert first.inner_text() == "2026-03-17 19:33:12"
    assert sentence == "14:03:13 UTC"
    assert said.inner_text() == "19:33:13 GMT+5:30"
    assert page.page.inner_text(".when").startswith("2026-03-17 19:30:01 → 2026-03-17 19:49:59 Asia/")
    assert page.page.get_attribute("#zone", "aria-pressed") == "true"
    assert "Charts" in page.page.inner_text("#zone-note")
    zones = "[...new Set([...document.querySelectorAll('.zone')].map(e => e.textContent))]"
    assert all(name.startswith("Asia/") for name in page.run(zones))
    page.page.click("#zone")
    assert page.run(zones) == ["UTC"]
    assert written == first.inner_text()
    assert sentence == said.inner_text()
    assert page.page.inner_text("#zone-note") == ""


def test_a_problem_is_copied_as_markdown(opened: Open) -> None:
    page = opened(dns_story(), permissions=["clipboard-read", "clipboard-write"])
    page.page.click("[data-copy=p1-md]")

    assert page.page.inner_text("[data-copy=p1-md]") == "Copied"
    copied = page.run("navigator.clipboard.readText()")
    assert copied.startswith("**1. DNS is blocked for `frontend/web-app`")
    assert "\n- " in copied
    assert page.run("document.activeElement.dataset.copy") == "p1-md"
    assert page.page.locator("textarea:visible").count() == 0
    page.page.locator("[data-copy=p1-md]", has_text="Copy as Markdown").wait_for()


def test_copying_twice_leaves_the_button_as_it_was(opened: Open) -> None:
    page = opened(dns_story(), permissions=["clipboard-read", "clipboard-write"])
    button = page.page.locator("[data-copy=p1-md]")
    button.click()
    button.click()

    page.page.locator("[data-copy=p1-md]", has_text="Copy as Markdown").wait_for()


def test_without_any_time_the_filter_is_cleared_all_the_same(opened: Open) -> None:
    page = opened(SAMPLES_AND_HOSTILE["nothing-known"]())
    assert page.page.locator("#brushed").count() == 0
    page.page.fill("#filter", "nothing-like-it")
    page.page.click("#clear")

    assert page.page.input_value("#filter") == ""
    assert page.page.locator(".filtered").count() == 0
    assert page.messages == []


def test_the_sliders_say_times(opened: Open) -> None:
    """What a screen reader says of them, a bar a step."""
    page = opened(dns_story())
    page.page.focus("#brush-from")
    page.page.keyboard.press("ArrowRight")

    assert page.page.get_attribute("#brush-from", "aria-valuetext") == "2026-03-17 14:00:30"
    assert page.page.inner_text("#brush-state") == "2026-03-17 14:00:30 to 2026-03-17 14:20:00 UTC"


def test_it_reads_without_scripts(opened: Open) -> None:
    """Everything is there; what would need a script is not offered."""
    page = opened(dns_story(), java_script_enabled=False)

    assert page.page.locator("article h3").count() == 4
    assert page.page.locator("table").count() > 4
    assert page.page.locator(".js:visible").count() == 0
    assert page.page.locator("#p1 .told, #p1 .facts").first.is_visible()
    page.page.click("#p2 summary >> nth=0")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_it_fits_wide_and_narrow_windows_light_and_dark(opened: Open, scheme: str, width: int) -> None:
    """Nothing but tables and charts, which scroll by themselves, is wider than the window."""
    for report in (dns_story(), three_days(), hostile(), replace(hostile(shift=5), problems=())):
        page = opened(report, color_scheme=scheme, viewport={"width": width, "height": 900})

        assert page.run("document.documentElement.scrollWidth") <= width
        assert page.page.screenshot(full_page=True).startswith(b"\x89PNG")


_RIGHT_ENDS = "[...document.querySelectorAll('.card, .facts dd, .told, .totals div, h3')].map(e => e.getBoundingClientRect().right)"


@pytest.mark.parametrize("incident", INCIDENTS)
def test_every_incident_fits_a_telephone(opened: Open, incident: str) -> None:
    page = opened(report_of(incident), viewport={"width": 400, "height": 900})

    assert page.run("document.documentElement.scrollWidth") <= 400
    assert page.run(f"Math.max(...{_RIGHT_ENDS})") <= 400


def test_a_label_of_ten_kilobytes_fits_a_telephone(opened: Open) -> None:
    report = report_of("default-deny-egress")
    labels = {"app": "w" * 10_000}
    problems = tuple(
        replace(
            problem,
            title=f"{problem.title} {'t' * 10_000}",
            source=replace(problem.source, labels=labels),
            connections=tuple(
                replace(one, source=replace(one.source, labels=labels, name="n" * 10_000, workload=None))
                for one in problem.connections
            ),
        )
        for problem in report.problems
    )
    page = opened(replace(report, problems=problems), viewport={"width": 400, "height": 900})
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")

    assert page.run("document.documentElement.scrollWidth") <= 400
    assert page.run(f"Math.max(...{_RIGHT_ENDS})") <= 400


def test_who_talks_stays_in_sight_where_the_matrix_is_scrolled(opened: Open) -> None:
    """Else a count of a wide matrix is nobody's."""
    page = opened(report_of("default-deny-egress"), viewport={"width": 400, "height": 900})
    page.run("document.querySelector('.matrix').parentElement.scrollLeft = 90")
    lefts = "[...document.querySelectorAll('.matrix tr > :first-child')].map(e => e.getBoundingClientRect().left - e.closest('.scroll').getBoundingClientRect().left)"

    assert page.run("document.querySelector('.matrix').parentElement.scrollLeft") == 90
    assert [round(left) for left in page.run(lefts)] == [0, 0, 0]


def test_paper_keeps_cards_dates_and_tiles_whole(opened: Open) -> None:
    """A card begins a page, a date is not broken, records are cut to three lines and the page says so.

    Labels are no larger than what they stand for, and nothing looks as if a click would unfold it.
    """
    page = opened(report_of("default-deny-egress"), viewport={"width": 690, "height": 980})
    page.page.emulate_media(media="print")
    style = "(s, p) => [...document.querySelectorAll(s)].map(e => getComputedStyle(e)[p])"

    assert page.run(f"({style})('.card', 'breakBefore')") == ["auto", "page", "page"]
    assert page.run(f"({style})('section[aria-labelledby=problems]', 'breakBefore')") == ["page"]
    sizes = "[...document.querySelectorAll('.facts dd, .heat')].map(e => [e, e.querySelector('a') || e.previousElementSibling].map(x => parseFloat(getComputedStyle(x).fontSize)))"
    assert all(label <= value for value, label in page.run(sizes))
    assert set(page.run(f"({style})('summary', 'listStyleType')")) == {"none"}
    lines = "[...document.querySelectorAll('td time:not(:has(span)), th time, td time span, #denials-table td:nth-child(5)')].map(e => { const r = document.createRange(); r.selectNodeContents(e); return r.getClientRects().length; })"
    assert set(page.run(lines)) == {1}
    heights = "[...document.querySelectorAll('pre.raw')].map(e => e.clientHeight / parseFloat(getComputedStyle(e).lineHeight))"
    assert 0 < max(page.run(heights)) < 4.5
    assert page.page.locator(".paper").first.is_visible()
    assert "three lines of each record" in page.page.locator(".paper").first.inner_text()
    assert page.run("document.documentElement.scrollWidth") <= 690
    assert page.run(
        "[...document.querySelectorAll('.totals .hint')].every(e => e.scrollWidth <= e.clientWidth)"
    )


def test_a_wide_matrix_fits_on_paper(opened: Open) -> None:
    """Its destinations stand upright where they are many."""
    report = dns_story()
    problem, *rest = report.problems
    lead = problem.connections[0]
    assert lead.destination.workload is not None
    workloads = [replace(lead.destination.workload, name=f"a-workload-of-a-long-name-{n}") for n in range(13)]
    many = [replace(lead, destination=replace(lead.destination, workload=one)) for one in workloads]
    wide = replace(report, problems=(replace(problem, connections=(lead, *many)), *rest))
    page = opened(wide, viewport={"width": 690, "height": 980})
    page.page.emulate_media(media="print")

    assert page.run("document.querySelectorAll('.matrix thead th').length") > 10
    assert page.run("document.documentElement.scrollWidth") <= 690


def test_on_a_screen_nothing_speaks_of_paper(opened: Open) -> None:
    page = opened(dns_story())
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")

    assert page.page.locator(".paper:visible").count() == 0


def test_it_prints(opened: Open) -> None:
    """Everything folded is opened, what only a screen needs is gone, table heads stay."""
    page = opened(dns_story())
    pdf = page.page.pdf(format="A4")

    assert pdf.startswith(b"%PDF-")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 16
    page.page.emulate_media(media="print")
    assert page.page.locator(".tools").is_hidden()
    assert page.page.locator(".copy").first.is_hidden()
    assert page.page.locator("#denials-table thead").is_visible()
    unfolded = "[...document.querySelectorAll('details:not([open]) > :not(summary)')].map(e => e.checkVisibility({contentVisibilityAuto: true}) && e.getBoundingClientRect().height > 0)"
    assert set(page.run(unfolded)) == {True}
    page.page.emulate_media(media="screen")
    assert set(page.run(unfolded)) == {False}
