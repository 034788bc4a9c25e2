"""A headless Chromium with the network refused, and what it said about a page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (group browser)")

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find() -> str | None:
    """The program that FLOWDIAG_CHROMIUM names, or a Chromium on the PATH."""
    named = os.environ.get("FLOWDIAG_CHROMIUM")
    return named or next((path for path in map(shutil.which, _NAMES) if path), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """A running browser, which no name resolves for; skips where there is none."""
    program = find()
    if program is None:
        pytest.skip("no chromium is installed")
    with sync_api.sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(
                executable_path=program,
                args=[
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-dev-shm-usage",
                    "--disable-background-networking",
                    "--proxy-server=127.0.0.1:9",
                    "--host-resolver-rules=MAP * ~NOTFOUND",
                ],
            )
        except sync_api.Error as error:
            pytest.skip(f"chromium does not start here: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


class Tab:
    """A page of its own settings, which shows one file after another: a new window each would take most of the time."""

    def __init__(self, browser: Any, **context: Any) -> None:
        context = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"} | context
        self._context = browser.new_context(offline=True, **context)
        self.page = self._context.new_page()
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def show(self, file: Path, fragment: str) -> None:
        """Leave what is shown, with all that it said and asked for, and load a file."""
        self.page.goto("about:blank")
        self.page.mouse.move(0, 0)
        self.page.emulate_media(media="null")
        self.messages, self.requests = [], []
        self.page.goto(file.as_uri() + fragment)

    def close(self) -> None:
        self._context.close()


class Opened:
    """A page with what its console said and what it asked the network for."""

    def __init__(self, tab: Tab, file: Path, fragment: str = "") -> None:
        self._tab = tab
        self.page = tab.page
        tab.show(file, fragment)
        self.messages, self.requests = tab.messages, tab.requests

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        return self.page.evaluate(script)

    def rows(self) -> int:
        """Connections that the filter leaves."""
        return self.page.locator("#denials-table tbody tr:not(.filtered)").count()
