"""A headless Chromium, driven over its DevTools protocol through two pipes: no port, no driver, no profile left behind.

The protocol: https://chromedevtools.github.io/devtools-protocol/. Each message is JSON and ends in a NUL.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

PROGRAM = shutil.which("chromium")
PATIENCE = 60.0
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
]


class Chromium:
    """One browser with one page. A context manager; `events` holds what the page said of its own accord."""

    def __init__(self) -> None:
        assert PROGRAM is not None
        self._home = tempfile.TemporaryDirectory(prefix="hdp-browser-", ignore_cleanup_errors=True)
        home = self._home.name
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "sh", PROGRAM, *FLAGS,
             f"--user-data-dir={home}", "about:blank"],
            pass_fds=(to_read, to_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home},
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self._loader = ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._session = None
            self.call("Browser.close")
            self._process.wait(10)
        except (OSError, AssertionError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._home.cleanup()

    def call(self, method: str, **parameters: Any) -> Any:
        """Send a command and return its result; an error of the protocol is an AssertionError."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        answer = self._next(lambda said: said.get("id") == self._number)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, path: Path, fragment: str = "") -> None:
        """Open a file, at a place in it (`fragment`: "#t0-47"), and wait until it is loaded."""
        self.call("Page.navigate", url="about:blank")
        self.events.clear()
        self._loader = self.call("Page.navigate", url=path.as_uri() + fragment)["loaderId"]
        self._until(lambda: any(said["params"].get("name") == "load" for said in self._of("Page.lifecycleEvent")))

    def run(self, script: str) -> Any:
        """Return what an expression is on the page; what it throws is an AssertionError."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def click(self, selector: str) -> None:
        """Click in the middle of the first element that a selector finds, as a mouse does."""
        box = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
        self._settle()

    def hover(self, selector: str) -> None:
        """Move the mouse there."""
        x, y = self.run(
            f"(() => {{ const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def key(self, name: str) -> None:
        """Press and release a key, by its DOM name ("ArrowRight")."""
        text = {"text": "\r"} if name == "Enter" else {}
        code = {"Enter": 13, "Escape": 27, "Tab": 9}.get(name, 0)
        self.call("Input.dispatchKeyEvent", type="keyDown", key=name, code=name, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name, code=name, windowsVirtualKeyCode=code)
        self._settle()

    def _settle(self) -> None:
        """Wait for what an input leads to in turn, such as the event that the place in the page has changed."""
        self.run("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")

    def text(self, selector: str) -> str:
        """Return the text of the first element that a selector finds, as soon as there is one."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.run(
            f"new Promise((done, fail) => {{ const until = Date.now() + {int(PATIENCE * 1000)};"
            f" const look = () => {found} ? done() : Date.now() > until ? fail(Error('none')) : setTimeout(look, 10);"
            " look(); })"
        )
        return self.run(f"{found}.innerText")

    def look(self, *, width: int = 1280, height: int = 900, dark: bool = False, mobile: bool = False) -> None:
        """Set the window's size in CSS pixels, and whether the user likes it dark."""
        scale = 2 if mobile else 1
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Write a PNG of what is seen, or of the whole page."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def printed(self, path: Path) -> None:
        """Write a PDF."""
        path.write_bytes(base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"]))

    @property
    def complaints(self) -> list[str]:
        """Errors and warnings on the console, uncaught exceptions, violations of the page's policy."""
        said = [
            e
            for e in self.events
            if e["method"] in {"Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"}
        ]
        return [json.dumps(each["params"]) for each in said]

    @property
    def requests(self) -> list[str]:
        """Addresses of all that the page asked for."""
        return [said["params"]["request"]["url"] for said in self._of("Network.requestWillBeSent")]

    def _of(self, method: str) -> list[dict[str, Any]]:
        """Return the events of one kind that belong to what was opened last."""
        return [e for e in self.events if e["method"] == method and e["params"].get("loaderId") == self._loader]

    def _until(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not happened():
            assert self._read(deadline - time.monotonic()) is not None, "the browser says nothing"

    def _next(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + PATIENCE
        while not found:
            said = self._read(deadline - time.monotonic(), keep=lambda each: not wanted(each))
            assert said is not None, "the browser says nothing"
            found += [each for each in said if wanted(each)]
        return found[0]

    def _read(
        self, seconds: float, keep: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> list[dict[str, Any]] | None:
        """Return the messages that came, None if none did; events among them are kept."""
        if seconds <= 0 or not select.select([self._from], [], [], seconds)[0]:
            return None
        read = os.read(self._from, 1 << 20)
        if not read:
            return None
        *messages, self._buffer = (self._buffer + read).split(b"\0")
        said = [json.loads(message) for message in messages]
        self.events += [each for each in said if "method" in each and keep(each)]
        return said
