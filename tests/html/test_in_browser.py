"""The page in a real browser, with the network refused: no error, no violation, no request, and it works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from flowdiag.model.report import Report
from flowdiag.report import Options
from flowdiag.report.html import HtmlReporter
from tests.html.browser import Browser, find
from tests.report.sample_reports import HOSTILE, SAMPLES_AND_HOSTILE, dns_story, hostile


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find()
    if program is None:
        pytest.skip("no chromium is installed")
    opened = Browser(program, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("pages"), dns_story())


def write(folder: Path, report: Report) -> Path:
    page = folder / "report.html"
    page.write_text(HtmlReporter().render(report, Options()), encoding="utf-8")
    return page


def visible_rows(browser: Browser) -> int:
    return browser.run("document.querySelectorAll('#denials-table tbody tr:not(.filtered)').length")


@pytest.mark.parametrize("sample", SAMPLES_AND_HOSTILE)
def test_it_loads_without_errors_violations_or_requests(
    browser: Browser, tmp_path: Path, sample: str
) -> None:
    page = write(tmp_path, SAMPLES_AND_HOSTILE[sample]())
    browser.open(page)

    assert browser.messages == []
    assert [url for url in browser.requests if not url.startswith(("file:", "about:"))] == []


@pytest.mark.parametrize("shift", range(0, len(HOSTILE), 6))
def test_nothing_of_a_stranger_becomes_an_element(browser: Browser, tmp_path: Path, shift: int) -> None:
    """Whatever the names hold, the page has the elements and attributes that the template has."""
    page = write(tmp_path, hostile(shift=shift))
    browser.open(page)

    assert browser.messages == []
    assert browser.run("document.scripts.length") == 2
    assert browser.run("document.querySelectorAll('img,iframe,object,embed,link,base,form').length") == 0
    handlers = "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => /^on/i.test(a.name))).length"
    assert browser.run(handlers) == 0
    links = "[...document.links].filter(a => !/^(#|https:)/.test(a.getAttribute('href'))).length"
    assert browser.run(links) == 0


def test_the_policy_forbids_scripts_that_are_not_ours(browser: Browser, story: Path) -> None:
    browser.open(story)
    browser.run(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.hit = 1'; document.body.append(s); })()"
    )

    assert None is browser.run("window.hit")
    assert any("Content Security Policy" in message for message in browser.messages)


@pytest.mark.parametrize(
    ("terms", "rows"),
    [
        ("", 5),
        ("port:53", 3),
        ("port:5", 0),
        ("from:web-app", 3),
        ("to:coredns from:promo", 1),
        ("class:fd101", 2),
        ("-class:fd401", 2),
        ("severity:medium", 1),
        ("verdict:denied", 5),
        ("user-api", 1),
        ("nothing-like-it", 0),
    ],
)
def test_the_filter_speaks_hubble_s_words(browser: Browser, story: Path, terms: str, rows: int) -> None:
    browser.open(story)
    browser.run("document.getElementById('filter').focus()")
    browser.type(terms)

    assert rows == visible_rows(browser)


def test_the_filter_hides_problems_too_and_says_how_many_are_left(browser: Browser, story: Path) -> None:
    browser.open(story)
    browser.run("document.getElementById('filter').focus()")
    browser.type("port:8080")

    assert browser.run("document.querySelectorAll('article:not(.filtered)').length") == 1
    assert (
        browser.run("document.getElementById('filter-state').textContent") == "1 of 5 connections, 1 problems"
    )
    browser.run("document.getElementById('clear').click()")
    assert visible_rows(browser) == 5


def test_dragging_over_the_chart_filters_everything_by_time(browser: Browser, story: Path) -> None:
    browser.look()
    browser.open(story)
    browser.run("document.getElementById('brushed').scrollIntoView({behavior: 'instant'})")
    box = browser.run(
        "(() => { const r = document.querySelector('#brushed svg').getBoundingClientRect(); return [r.x, r.y, r.width]; })()"
    )
    scale = box[2] / 1000
    # The first two of twenty minutes: nothing was refused yet.
    browser.drag((box[0] + 62 * scale, box[1] + 100 * scale), (box[0] + 148 * scale, box[1] + 100 * scale))

    assert visible_rows(browser) == 0
    assert "14:00:" in browser.run("document.getElementById('brush-state').textContent")
    browser.drag((box[0] + 700 * scale, box[1] + 100 * scale), (box[0] + 900 * scale, box[1] + 100 * scale))
    assert visible_rows(browser) == 2


def test_the_sliders_do_the_same_from_the_keyboard(browser: Browser, story: Path) -> None:
    browser.open(story)
    browser.run("document.getElementById('brush-to').focus()")
    browser.key("Home", 36)

    assert visible_rows(browser) == 0
    browser.key("End", 35)
    assert visible_rows(browser) == 5


def test_clicking_a_head_sorts_and_says_so(browser: Browser, story: Path) -> None:
    browser.open(story)
    counts = (
        "[...document.querySelectorAll('#denials-table tbody tr')].map(r => Number(r.cells[6].dataset.value))"
    )
    browser.run("document.querySelectorAll('#denials-table thead button')[6].click()")

    assert browser.run(counts) == [160, 102, 39, 32, 4]
    assert browser.run("document.querySelectorAll('#denials-table thead th')[6].ariaSort") == "descending"
    browser.run("document.querySelectorAll('#denials-table thead button')[6].click()")
    assert browser.run(counts) == [4, 32, 39, 102, 160]


def test_a_deep_link_shows_its_problem(browser: Browser, story: Path) -> None:
    browser.open(story, "#p2")

    top = browser.run("document.getElementById('p2').getBoundingClientRect().top")
    assert 0 <= top < 300


def test_times_turn_into_the_reader_s_zone_and_back(browser: Browser, story: Path) -> None:
    browser.call("Emulation.setTimezoneOverride", timezoneId="Asia/Kolkata")
    browser.open(story)
    first = "document.querySelector('.marks time').textContent"
    written = browser.run(first)
    browser.run("document.getElementById('zone').click()")

    assert written == "2026-03-17 14:03:12"
    assert browser.run(first) == "2026-03-17 19:33:12"
    assert browser.run("document.getElementById('zone').getAttribute('aria-pressed')") == "true"
    browser.run("document.getElementById('zone').click()")
    assert written == browser.run(first)


def test_a_problem_is_copied_as_markdown(browser: Browser, story: Path) -> None:
    browser.open(story)
    browser.run(
        "window.copied = ''; document.execCommand = () => { window.copied = document.activeElement.value; return true; };"
    )
    browser.run("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    browser.run("document.querySelector('[data-copy=p1-md]').click()")

    assert browser.run("window.copied").startswith("**1. DNS is blocked for `frontend/web-app`")


def test_the_first_tab_skips_to_the_report(browser: Browser, story: Path) -> None:
    browser.open(story)
    browser.key("Tab", 9)

    assert browser.run("document.activeElement.className") == "skip"


def test_it_reads_without_scripts(browser: Browser, story: Path) -> None:
    """Everything is there; what would need a script is not offered."""
    browser.scripts_off(True)
    try:
        browser.open_unscripted(story)

        assert browser.number("article h3") == 4
        assert browser.number("table") > 4
        assert browser.number(".js:not([hidden])") == 0
    finally:
        browser.scripts_off(False)


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 1280), (False, 360)])
def test_it_fits_wide_and_narrow_windows_light_and_dark(
    browser: Browser, tmp_path: Path, dark: bool, width: int
) -> None:
    """Nothing but tables and charts, which scroll by themselves, is wider than the window."""
    for number, report in enumerate((dns_story(), hostile(), replace(hostile(shift=5), problems=()))):
        folder = tmp_path / str(number)
        folder.mkdir()
        browser.look(dark=dark, width=width)
        browser.open(write(folder, report))

        assert browser.run("document.documentElement.scrollWidth") <= width
        assert browser.picture().startswith(b"\x89PNG")
    browser.look()


def test_every_text_has_enough_contrast(browser: Browser, story: Path) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1 for text, in both schemes, computed by the browser's own styles."""
    script = """(() => {
      const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
      const mix = (top, under) => { const a = top.length > 3 ? top[3] : 1; return [0,1,2].map(i => top[i]*a + under[i]*(1-a)); };
      const light = c => { const f = c.map(v => { v /= 255; return v <= 0.04045 ? v/12.92 : ((v+0.055)/1.055)**2.4; }); return 0.2126*f[0]+0.7152*f[1]+0.0722*f[2]; };
      const back = e => { const chain = []; for (let n = e; n; n = n.parentElement) chain.push(parse(getComputedStyle(n).backgroundColor)); let c = [255,255,255]; for (const b of chain.reverse()) if (b.length) c = mix(b, c); return c; };
      const bad = [];
      for (const e of document.querySelectorAll('body *:not(svg *)')) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
        if (!e.getClientRects().length || e.closest('.vh,.skip,script')) continue;
        const b = back(e), f = mix(parse(getComputedStyle(e).color), b), x = light(f), y = light(b);
        const ratio = (Math.max(x,y)+0.05)/(Math.min(x,y)+0.05);
        if (ratio < 4.5) bad.push(e.tagName + '.' + e.className + ' ' + ratio.toFixed(2));
      }
      return bad;
    })()"""
    for dark in (False, True):
        browser.look(dark=dark)
        browser.open(story)
        browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")

        assert browser.run(script) == []
    browser.look()


def test_it_prints(browser: Browser, story: Path) -> None:
    """Everything folded is opened, what only a screen needs is gone, table heads stay."""
    browser.open(story)
    assert browser.pdf().startswith(b"%PDF-")
    browser.look(print_=True)

    assert browser.run("getComputedStyle(document.querySelector('.tools')).display") == "none"
    assert browser.run("getComputedStyle(document.querySelector('.copy')).display") == "none"
    assert (
        browser.run("getComputedStyle(document.querySelector('#denials-table thead button')).display")
        != "none"
    )
    browser.run("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.run("document.querySelectorAll('details:not([open])').length") == 0
    browser.look()
