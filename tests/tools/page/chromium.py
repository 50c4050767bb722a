"""A headless Chromium on a pipe: no network port, nothing but Python's standard library."""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
    "--disable-extensions", "--disable-background-networking", "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 60.0  # seconds


def chromium() -> str | None:
    """The path of an installed Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page of a browser: what it logs and asks for, and what scripts in it say."""

    def __init__(self, write: int, read: int) -> None:
        self.write, self.read = write, read
        self.numbers = itertools.count(1)
        self.rest = b""
        self.logs: list[str] = []
        self.requests: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self.session: str | None = attached["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.send(f"{domain}.enable")

    session: str | None = None

    def send(self, method: str, **params: Any) -> Any:
        """The result of a command."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        for found in self.messages():
            if found.get("id") == number:
                assert "error" not in found, (method, found)
                return found["result"]
            self.note(found)
        raise AssertionError("the browser has gone")

    def messages(self) -> Iterator[Any]:
        """What the browser sends, one after the other."""
        while True:
            head, zero, rest = self.rest.partition(b"\0")
            if zero:
                self.rest = rest
                yield json.loads(head)
                continue
            data = os.read(self.read, 1 << 20)
            if not data:
                return
            self.rest += data

    def note(self, event: Any) -> None:
        """Keep what a page says and asks for."""
        params = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                self.logs.append(details.get("exception", {}).get("description", details["text"]))
            case "Runtime.consoleAPICalled":
                self.logs.append(str([a.get("value") for a in params["args"]]))
            case "Log.entryAdded":
                self.logs.append(params["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])

    def size(self, width: int, height: int, scale: float = 1.0) -> None:
        """The size of the window."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )

    def open(self, path: Path, state: str = "") -> None:
        """Open a file and wait until it has drawn."""
        self.logs, self.requests = [], []
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=path.as_uri() + state)
        self.wait("document.body?.dataset.ready || document.documentElement?.tagName === 'svg'")

    def wait(self, condition: str) -> None:
        """Until an expression is true."""
        end = monotonic() + PATIENCE
        while monotonic() < end:
            if self.run(f"Boolean({condition})"):
                return
        raise AssertionError(f"never true: {condition}; {self.logs}")

    def run(self, script: str) -> Any:
        """The value of an expression, awaited."""
        found = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def in_frames(self, count: int, condition: str) -> None:
        """Until an expression is true in so many frames with documents of their own."""
        page, self.session = self.session, None
        frames: list[str] = []
        end = monotonic() + PATIENCE
        while len(frames) < count and monotonic() < end:
            infos = self.send("Target.getTargets")["targetInfos"]
            frames = [info["targetId"] for info in infos if info["type"] == "iframe"]
        assert len(frames) == count
        for target in frames:
            self.session = None
            found = self.send("Target.attachToTarget", targetId=target, flatten=True)
            self.session = found["sessionId"]
            self.wait(condition)
        self.session = page

    def picture(self) -> bytes:
        """What the window shows, as PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"])


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in a folder."""
    path = chromium()
    assert path is not None
    from_us, to_it = os.pipe()
    from_it, to_us = os.pipe()
    ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (from_us, to_us)]  # clear of 3 and 4

    def wire() -> None:  # the browser reads file 3 and writes file 4
        os.dup2(ends[0], 3)
        os.dup2(ends[1], 4)

    process = subprocess.Popen(
        [path, *FLAGS, f"--user-data-dir={folder}"],
        pass_fds=(3, 4),
        preexec_fn=wire,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    for fd in (from_us, to_us, *ends):
        os.close(fd)
    try:
        yield Browser(to_it, from_it)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)
        os.close(to_it)
        os.close(from_it)
