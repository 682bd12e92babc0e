"""A headless Chromium, driven over its DevTools protocol: what a page shows, what it asks for, what goes wrong in it.

    with launched() as browser, browser.page() as page:
        page.resize(400, 900)
        page.emulate(scheme="dark")
        page.open(file.as_uri())
        assert page.requests == [file.as_uri()]
        assert page.errors == []
        assert overflowing(page) == []

Nothing outside this machine can be reached from it: other hosts have no address there.
"""

import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from websockets.sync.client import ClientConnection, connect

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
"""What a Chromium may be called."""

INSTALL = "apt-get install chromium"

_OPTIONS = [
    "--headless",
    "--no-sandbox",  # which root, as in a container, may not have
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--remote-debugging-port=0",
    "--disable-background-networking",
    "--disable-features=IsolateOrigins,site-per-process",  # a frame's requests are told to the page that it is in
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-proxy-server",
]
_STARTS_WITHIN_SECONDS = 60.0
_ANSWERS_WITHIN_SECONDS = 120.0
_LOADS_WITHIN_SECONDS = 60.0

_IS_READY = "document.fonts.ready.then(() => new Promise((done) => setTimeout(done, 50)))"
"""Fonts are there, and what a script puts off until after this moment has had its turn."""


class PageFailed(Exception):
    """The browser refused a command, or a script threw; the message is the browser's."""


class Page:
    """A page of a browser, in a profile that no other page shares.

    requests: every address that it has asked for, in order, its own first; scripts' requests, frames and sockets too,
    answered or not. What lies in the page itself (`data:`, `blob:`) is no request.
    errors: what its console shows as an error or a warning, exceptions, and what failed to load.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._loaded = False
        self._socket = socket
        self._numbers = itertools.count(1)
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **parameters: Any) -> Any:
        """What the browser answers to a command. Raises PageFailed if it refuses it."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = self._next_message(_ANSWERS_WITHIN_SECONDS)
            if message.get("id") == number:
                if "error" in message:
                    raise PageFailed(f"{method}: {message['error']['message']}")
                return message["result"]

    def open(self, address: str) -> None:
        """Goes to an address and waits until it has loaded; what earlier pages asked for and said is forgotten."""
        self._loaded = False
        self.requests.clear()
        self.errors.clear()
        answer = self.do("Page.navigate", url=address)
        if "errorText" in answer:
            raise PageFailed(f"{address}: {answer['errorText']}")
        deadline = time.monotonic() + _LOADS_WITHIN_SECONDS
        while not self._loaded:
            self._next_message(deadline - time.monotonic())
        self.evaluate(_IS_READY)

    def listen(self, seconds: float) -> None:
        """Lets so much time pass, for a page that does something later."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                self._next_message(left)
            except TimeoutError:
                return

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        """Gives the page so many CSS pixels of room, each of them `scale` pixels of a picture wide and high."""
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False)

    def emulate(
        self, *, scheme: Literal["light", "dark"] = "light", media: Literal["screen", "print"] = "screen"
    ) -> None:
        """Shows the page as to a person who prefers this colour scheme, on a screen or on paper."""
        preferred = {"name": "prefers-color-scheme", "value": scheme}
        self.do("Emulation.setEmulatedMedia", media=media, features=[preferred])

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, or of what it promises. Raises PageFailed if it throws."""
        answer = self.do("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise PageFailed(_thrown(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def call(self, function: str, *arguments: Any) -> Any:
        """What a JavaScript function gives for arguments that JSON can say."""
        return self.evaluate(f"({function})({', '.join(json.dumps(argument) for argument in arguments)})")

    def texts(self, selector: str) -> list[str]:
        """What the elements that a CSS selector chooses say, in the page's order, as a person sees it."""
        found: list[str] = self.call("(at) => [...document.querySelectorAll(at)].map((e) => e.innerText)", selector)
        return found

    def attributes(self, selector: str) -> list[dict[str, str]]:
        """The attributes of the elements that a CSS selector chooses, in the page's order."""
        found: list[dict[str, str]] = self.call(_ATTRIBUTES, selector)
        return found

    def wait_for_text(self, text: str, seconds: float = 60) -> None:
        """Waits until the page says a text."""
        deadline = time.monotonic() + seconds
        while not self.call("(text) => Boolean(document.body?.innerText.includes(text))", text):
            assert time.monotonic() < deadline, f"the page does not say {text!r}"
            self.listen(0.3)

    def screenshot(self, *, full_page: bool = False) -> bytes:
        """A PNG of what is seen of the page, or of all of it."""
        if not full_page:
            return base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"])
        size = self.do("Page.getLayoutMetrics")["cssContentSize"]
        whole = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        taken = self.do("Page.captureScreenshot", format="png", clip=whole, captureBeyondViewport=True)
        return base64.b64decode(taken["data"])

    def _next_message(self, seconds: float) -> dict[str, Any]:
        """What the browser says next, an answer or an event. Raises TimeoutError if it says nothing for so long."""
        message: dict[str, Any] = json.loads(self._socket.recv(timeout=max(0.0, seconds)))
        if "method" in message:
            self._take_note(message["method"], message["params"])
        return message

    def _take_note(self, event: str, told: dict[str, Any]) -> None:
        match event:
            case "Page.loadEventFired":
                self._loaded = True
            case "Network.requestWillBeSent":
                if not told["request"]["url"].startswith(("data:", "blob:")):
                    self.requests.append(told["request"]["url"])
            case "Network.webSocketCreated" | "Network.webTransportCreated":
                self.requests.append(told["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(_thrown(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning", "assert"):
                said = (str(part.get("value", part.get("description", ""))) for part in told["args"])
                self.errors.append(f"{told['type']}: {' '.join(said)}")
            case "Log.entryAdded" if told["entry"]["level"] in ("error", "warning"):
                entry = told["entry"]
                self.errors.append(f"{entry['level']}: {entry['text']} {entry.get('url', '')}".rstrip())


class Browser:
    """A running Chromium, as `launched` gives it."""

    def __init__(self, socket: ClientConnection, port: int) -> None:
        self._socket, self._port = socket, port
        self._numbers = itertools.count(1)

    @contextmanager
    def page(self) -> Iterator[Page]:
        """An empty page of its own: nothing that other pages have stored is there."""
        context = self._do("Target.createBrowserContext")["browserContextId"]
        try:
            target = self._do("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
            address = f"ws://127.0.0.1:{self._port}/devtools/page/{target}"
            with connect(address, max_size=None, proxy=None) as socket:
                yield Page(socket)
        finally:
            self._do("Target.disposeBrowserContext", browserContextId=context)

    def _do(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=_ANSWERS_WITHIN_SECONDS))
            if message.get("id") == number:
                if "error" in message:
                    raise PageFailed(f"{method}: {message['error']['message']}")
                return message["result"]


def installed() -> str | None:
    """The Chromium of this machine; None if it has none."""
    return next(filter(None, map(shutil.which, EXECUTABLES)), None)


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless Chromium with a profile of its own, which ends with the block."""
    chromium = installed()
    assert chromium, f"there is no Chromium; install one: {INSTALL}"
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        said, profile = Path(folder) / "said.txt", Path(folder) / "profile"
        with said.open("wb") as log:
            process = subprocess.Popen(
                [chromium, *_OPTIONS, f"--user-data-dir={profile}", "about:blank"], stdout=log, stderr=log
            )
        try:
            port, path = _listening(process, profile / "DevToolsActivePort", said)
            with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None) as socket:
                yield Browser(socket, port)
        finally:
            _end(process)


def _listening(process: subprocess.Popen[bytes], note: Path, said: Path) -> tuple[int, str]:
    """Where the browser listens, once it does: its port and the path of its socket."""
    deadline = time.monotonic() + _STARTS_WITHIN_SECONDS
    while not note.exists() or len(note.read_text().split()) < 2:
        is_starting = process.poll() is None and time.monotonic() < deadline
        assert is_starting, f"Chromium did not start:\n{said.read_text(errors='replace')[-2000:]}"
        time.sleep(0.05)
    port, path = note.read_text().split()
    return int(port), path


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(30)


def _thrown(details: dict[str, Any]) -> str:
    exception = details.get("exception", {})
    return str(exception.get("description") or exception.get("value") or details["text"])


_ATTRIBUTES = """
(at) => [...document.querySelectorAll(at)].map(
    (element) => Object.fromEntries([...element.attributes].map(({name, value}) => [name, value])))
"""


# What is wrong with how a page looks.


class Overflow(NamedTuple):
    """An element that does not fit, by tag, id, classes and the beginning of its text.

    fault: `beyond the page`, its right edge; `wider than its box`, its text, which runs out of the box or is cut off;
    `outside its picture`, a text that an SVG cuts off. pixels: by how much.
    """

    element: str
    fault: str
    pixels: float


class Overlap(NamedTuple):
    """Two texts of one SVG that lie on one another. pixels: how far one would have to move to be clear of the other."""

    text: str
    other: str
    pixels: float


def overflowing(page: Page) -> list[Overflow]:
    """The elements of a page that do not fit, the innermost of those that lie in one another.

    What lies in an element that scrolls sideways on purpose (`overflow-x: auto` or `scroll`) may be as wide as it is.
    What is not seen, such as text for screen readers alone, is passed over; a pixel more or less is no fault.
    """
    return [Overflow(*found) for found in page.call(_OVERFLOWING)]


def overlapping_texts(page: Page, pixels: float = 2) -> list[Overlap]:
    """Pairs of texts of one SVG whose boxes, turned as the texts are, share more than so many pixels each way.

    The same text twice in the same place, as where one is the other's outline, is no overlap.
    """
    return [Overlap(*found) for found in page.call(_OVERLAPPING, pixels)]


def numbers(page: Page) -> list[tuple[dict[str, str], str]]:
    """Every `<data>` of a page, in its order: its attributes, and what it shows, seen at the moment or not."""
    return [(attributes, shown) for attributes, shown in page.call(_NUMBERS)]


_SEEN = """
const seen = (element) =>
    element.checkVisibility({opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true});
const named = (element) => {
    const classes = [...element.classList].map((name) => "." + name).join("");
    const text = element.textContent.trim().replace(/\\s+/g, " ");
    return `${element.tagName.toLowerCase()}${element.id && "#" + element.id}${classes} "${text.slice(0, 40)}"`;
};
"""

_OVERFLOWING = (
    """
() => {
    """
    + _SEEN
    + """
    const root = document.documentElement;
    const room = root.clientWidth;
    const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
    const withinScrolling = (element) => {
        for (let at = element.parentElement; at && at !== document.body && at !== root; at = at.parentElement)
            if (scrolls(at)) return true;
        return false;
    };
    const fault = (element) => {
        if (element.ownerSVGElement) return cutOff(element);
        const beyond = element.getBoundingClientRect().right - room;
        if (beyond > 1) return ["beyond the page", beyond];
        const wider = element.scrollWidth - element.clientWidth;
        if (element.clientWidth > 1 && wider > 1 && !scrolls(element)) return ["wider than its box", wider];
        return null;
    };
    const cutOff = (element) => {
        if (element.tagName !== "text" || !element.textContent.trim()) return null;
        const box = element.getBoundingClientRect();
        let picture = element.ownerSVGElement;
        while (picture.ownerSVGElement) picture = picture.ownerSVGElement;
        const frame = picture.getBoundingClientRect();
        const out = Math.max(
            frame.left - box.left, frame.top - box.top, box.right - frame.right, box.bottom - frame.bottom);
        if (getComputedStyle(picture).overflow !== "visible" && out > 1) return ["outside its picture", out];
        return box.right - room > 1 ? ["beyond the page", box.right - room] : null;
    };
    const found = [];
    for (const element of document.body.querySelectorAll("*")) {
        if (!seen(element) || withinScrolling(element)) continue;
        const wrong = fault(element);
        if (wrong) found.push([element, ...wrong]);
    }
    return found
        .filter(([element]) => !found.some(([other]) => other !== element && element.contains(other)))
        .map(([element, what, by]) => [named(element), what, by]);
}
"""
)

_OVERLAPPING = (
    """
(slack) => {
    """
    + _SEEN
    + """
    const corners = (text) => {
        const box = text.getBBox();
        const matrix = text.getScreenCTM();
        return [[0, 0], [1, 0], [1, 1], [0, 1]].map(([across, down]) => {
            const point = new DOMPoint(box.x + across * box.width, box.y + down * box.height).matrixTransform(matrix);
            return [point.x, point.y];
        });
    };
    const sides = (box) => [0, 1].map((at) => {
        const [x, y] = [box[at + 1][0] - box[at][0], box[at + 1][1] - box[at][1]];
        const length = Math.hypot(x, y) || 1;
        return [x / length, y / length];
    });
    const reach = (box, [x, y]) => {
        const along = box.map(([left, top]) => left * x + top * y);
        return [Math.min(...along), Math.max(...along)];
    };
    // Two boxes lie apart if they do along a side of one of them.
    const shared = (one, other) => Math.min(...[...sides(one), ...sides(other)].map((axis) => {
        const [low, high] = reach(one, axis);
        const [otherLow, otherHigh] = reach(other, axis);
        return Math.min(high, otherHigh) - Math.max(low, otherLow);
    }));
    const bounds = (box) => [reach(box, [1, 0]), reach(box, [0, 1])];
    const near = (one, other) => one.every(([low, high], way) => high > other[way][0] && other[way][1] > low);
    const same = (one, other) => one.every(([x, y], at) => Math.hypot(x - other[at][0], y - other[at][1]) < 0.5);
    const found = [];
    for (const picture of document.querySelectorAll("svg")) {
        if (picture.ownerSVGElement) continue;
        const texts = [...picture.querySelectorAll("text")]
            .filter((text) => seen(text) && text.textContent.trim())
            .map((text) => [text.textContent.trim(), corners(text)])
            .map(([text, box]) => [text, box, bounds(box)]);
        for (let at = 0; at < texts.length; at++) for (let after = at + 1; after < texts.length; after++) {
            const [[text, box, around], [other, otherBox, otherAround]] = [texts[at], texts[after]];
            if (!near(around, otherAround)) continue;
            const by = shared(box, otherBox);
            if (by > slack && !(text === other && same(box, otherBox))) found.push([text, other, by]);
        }
    }
    return found;
}
"""
)

_NUMBERS = """
() => [...document.querySelectorAll("data")].map((element) => [
    Object.fromEntries([...element.attributes].map(({name, value}) => [name, value])),
    element.textContent.trim().replace(/\\s+/g, " "),
])
"""
