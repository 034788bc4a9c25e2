"""A headless Chromium over its DevTools protocol, with the network refused.

Only what the tests need: load a file, run script in it, press keys, take pictures, print.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

websocket = pytest.importorskip("websocket", reason="websocket-client is not installed")

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_START_S = 30


def find() -> str | None:
    return next((path for path in map(shutil.which, _NAMES) if path), None)


class Browser:
    """A browser with one page.  `messages` holds console errors, exceptions and policy violations."""

    def __init__(self, program: str, profile: Path) -> None:
        self._process = subprocess.Popen(
            [
                program,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--no-first-run",
                "--disable-component-update",
                "--disable-sync",
                "--disable-default-apps",
                "--proxy-server=127.0.0.1:9",
                "--host-resolver-rules=MAP * ~NOTFOUND",
                "--remote-debugging-port=0",
                "--remote-allow-origins=*",
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.messages: list[str] = []
        self.requests: list[str] = []
        self._number = 0
        self._events: list[dict[str, Any]] = []
        port, path = self._address(profile / "DevToolsActivePort")
        self._socket = websocket.create_connection(
            f"ws://127.0.0.1:{port}{path}", timeout=60, http_no_proxy=["127.0.0.1"]
        )
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.look()

    def _address(self, file: Path) -> tuple[str, str]:
        for _ in range(_START_S * 20):
            if file.exists() and file.read_text().count("\n"):
                port, path = file.read_text().split("\n")[:2]
                return port, path
            if self._process.poll() is not None:
                pytest.skip("chromium does not start here")
            time.sleep(0.05)
        self.close()
        pytest.skip("chromium does not start here")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._call(method, session=self._session, **params)

    def _call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._event(answer)

    def _event(self, event: dict[str, Any]) -> None:
        method, params = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.messages.append(str(params["exceptionDetails"].get("text")))
        elif method == "Log.entryAdded":
            self.messages.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.messages.append(str(params["args"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        self._events.append(event)

    def open(self, page: Path, fragment: str = "") -> None:
        self.messages.clear()
        self.requests.clear()
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=page.as_uri() + fragment)
        for _ in range(400):
            if self.run("location.protocol === 'file:' && document.readyState") == "complete":
                return
            time.sleep(0.02)
        pytest.fail("the page does not load")

    def open_unscripted(self, page: Path) -> None:
        """As `open`, where the page runs no script and so cannot be asked whether it is ready."""
        self._events.clear()
        self.call("Page.navigate", url=page.as_uri())
        for _ in range(400):
            if any(event.get("method") == "Page.loadEventFired" for event in self._events):
                return
            self._call("Target.getTargets")
            time.sleep(0.02)
        pytest.fail("the page does not load")

    def number(self, selector: str) -> int:
        """How many elements match, asked of the browser and not of the page."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        return len(self.call("DOM.querySelectorAll", nodeId=root, selector=selector)["nodeIds"])

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def key(self, name: str, code: int) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        moves = (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end))
        for kind, (x, y) in moves:
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def look(self, *, dark: bool = False, width: int = 1280, print_: bool = False) -> None:
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.call("Emulation.setEmulatedMedia", media="print" if print_ else "", features=features)
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )

    def scripts_off(self, off: bool) -> None:
        self.call("Emulation.setScriptExecutionDisabled", value=off)

    def picture(self) -> bytes:
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def pdf(self) -> bytes:
        return base64.b64decode(self.call("Page.printToPDF", printBackground=False)["data"])

    def close(self) -> None:
        try:
            self._call("Browser.close")
        except (AttributeError, OSError, websocket.WebSocketException):
            self._process.kill()
        finally:
            if hasattr(self, "_socket"):
                self._socket.close()
        self._process.wait(timeout=20)
