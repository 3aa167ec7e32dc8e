"""A headless Chromium, driven over a pipe by the DevTools protocol: needs the browser and no package."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FOUND = next((path for path in map(shutil.which, PROGRAMS) if path), None)
MISSING = "no browser: apt-get install chromium"
PATIENCE = 60
# Chromium speaks over file descriptors 3 and 4.
START = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
)


class Page:
    """One tab, and what went wrong in it."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes, self._rest, self._number = reads, writes, b"", 0
        self._session: dict[str, str] = {}
        self.problems: list[str] = []
        self.requests: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What the browser answers."""
        self._number += 1
        words = {"id": self._number, "method": method, "params": parameters, **self._session}
        os.write(self._writes, json.dumps(words).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self._number:
                assert "error" not in message, (method, message["error"])
                return message["result"]
            self._note(message)

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select.select([self._reads], [], [], PATIENCE)[0], f"the browser says nothing for {PATIENCE} s"
            read = os.read(self._reads, 1 << 20)
            assert read, "the browser is gone"
            self._rest += read
        first, _, self._rest = self._rest.partition(b"\0")
        return json.loads(first)

    def _note(self, message: dict[str, Any]) -> None:
        """Keep errors, warnings and what is fetched."""
        method, said = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.problems.append(said["exceptionDetails"].get("exception", {}).get("description", str(said)))
        elif method == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            self.problems.append(said["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning", "assert"):
            self.problems.append(str(said["args"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])

    def size(self, width: int, height: int, *, dark: bool = False, still: bool = True) -> None:
        """Be a window or a phone of so many pixels, in light or dark; `still`: of somebody who wants no motion."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
        ]
        self.ask("Emulation.setEmulatedMedia", features=features)

    def open(self, address: str) -> None:
        """Load `address`, until its scripts have run."""
        # A change of the fragment alone would not load the page again.
        self.ask("Page.navigate", url="about:blank")
        self.ask("Page.navigate", url=address)
        self.wait("location.href !== 'about:blank' && document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression, or of what it promises."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str, seconds: float = 20) -> None:
        """Until a JavaScript expression holds."""
        end = time.monotonic() + seconds
        while not self.value(condition):
            assert time.monotonic() < end, f"in vain for {condition}; {self.problems}"
            time.sleep(0.05)

    def drag(self, selector: str, share: float) -> None:
        """Press the mouse at the left end of an element, and let go at `share` of its width."""
        box = self.value(f"(e => [e.x, e.y, e.width, e.height])({_box(selector)})")
        y = box[1] + box[3] / 2
        for kind, x in (
            ("mousePressed", 0.01),
            ("mouseMoved", share / 2),
            ("mouseMoved", share),
            ("mouseReleased", share),
        ):
            pressed = {"button": "left", "buttons": int(kind != "mouseReleased"), "clickCount": 1}
            self.ask("Input.dispatchMouseEvent", type=kind, x=box[0] + x * box[2], y=y, **pressed)

    def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        box = self.value(f"(e => [e.x + e.width / 2, e.y + e.height / 2])({_box(selector)})")
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def shot(self, path: Path, *, whole: bool = False) -> None:
        """The page as a PNG: what is in view, or the `whole` of it."""
        told = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(told["data"]))


def _box(selector: str) -> str:
    found = f"document.querySelector({json.dumps(selector)})"
    return f"(e => (e.scrollIntoView({{block: 'nearest'}}), e.getBoundingClientRect()))({found})"


@contextmanager
def page(folder: Path) -> Iterator[Page]:
    """A tab of a browser of its own, which keeps its files in `folder`."""
    assert FOUND
    commands, answers = (tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in os.pipe()) for _ in range(2))
    words = [FOUND, *OPTIONS, f"--user-data-dir={folder / 'browser'}"]
    start = [sys.executable, "-c", START, str(commands[0]), str(answers[1]), *words]
    process = subprocess.Popen(start, pass_fds=(commands[0], answers[1]), stderr=subprocess.DEVNULL)
    os.close(commands[0])
    os.close(answers[1])
    try:
        yield Page(answers[0], commands[1])
    finally:
        os.write(commands[1], b'{"id": 0, "method": "Browser.close"}\0')
        os.close(commands[1])
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(answers[0])
