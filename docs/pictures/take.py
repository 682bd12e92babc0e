"""Takes the pictures of the Dagster UI that lie in this folder, with a headless Chromium.

    PAYMENT_SIM_NIGHTLY_CRON="*/2 * * * *" .venv/bin/payment-sim ui --data FOLDER     # in another terminal
    .venv/bin/python docs/pictures/take.py --port 3000

The UI must have done what is to be seen: switch on the sensor run_files, the schedule for some minutes, and wait until
the runs have ended. Chromium must be installed. Nothing outside this machine is asked.
"""

import argparse
import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

FOLDER = Path(__file__).resolve().parent
LOCATION = "/locations/__repository__@payment_sim"
SIZE_MAX = 300_000


@dataclass(frozen=True)
class Picture:
    """name: of the file. path: of the page. shows: a text that is there when the page is ready. height: pixels.

    clicks: what is clicked before the picture is taken, by how its text begins. top: what is scrolled to the top.
    """

    name: str
    path: str
    shows: str
    height: int = 800
    clicks: tuple[str, ...] = ()
    top: str = ""


PICTURES = [
    Picture("asset_graph", "/assets/fct_lsm_cycles?view=lineage&lineageScope=upstream&lineageDepth=4", "run_file", 700),
    Picture(
        "run_day_grid",
        "/assets/raw/settlements?view=partitions",
        "nightly_research",
        700,
        clicks=("Missing (", "d001", "lsm_on_off"),
    ),
    Picture(
        "sensor_ticks",
        f"{LOCATION}/sensors/run_files",
        "run_files",
        clicks=("All ticks", "Requested"),
        top="Evaluations",
    ),
    Picture("schedule_ticks", f"{LOCATION}/schedules/nightly_research", "nightly_research", 700),
    Picture("raw_checks", "/assets/raw/lsm_cycles?view=checks", "contract", 560),
    Picture("mart_checks", "/assets/fct_lsm_cycles?view=checks", "unique_key", 650),
]

FIND = """
(text) => [...document.querySelectorAll("body *")]
    .filter((element) => element.innerText?.trim().startsWith(text) && element.getClientRects().length)
    .reduce((found, element) => (!found || found.contains(element) ? element : found), null)
"""


class Page:
    """A page of a browser, driven over its DevTools protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    def do(self, method: str, **parameters: Any) -> Any:
        """What the browser answers to a command."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=120))
            if answer.get("id") == number:
                return answer["result"]

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        return self.do("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for_text(self, text: str, seconds: float = 60) -> None:
        """Waits until the page says a text."""
        deadline = time.monotonic() + seconds
        while not self.evaluate(f"document.body.innerText.includes({json.dumps(text)})"):
            assert time.monotonic() < deadline, f"the page does not say {text!r}"
            time.sleep(0.3)

    def take(self, address: str, picture: Picture, target: Path) -> None:
        """Opens a page, waits until it is ready and stores its picture."""
        size = {"width": 1400, "height": picture.height, "deviceScaleFactor": 1, "mobile": False}
        self.do("Emulation.setDeviceMetricsOverride", **size)
        self.do("Page.navigate", url=f"{address}{picture.path}")
        self.wait_for_text(picture.shows)
        time.sleep(3)  # pages fill in what they have asked for bit by bit
        for text in picture.clicks:
            assert self.evaluate(f"(at => at && !at.click())(({FIND})({json.dumps(text)}))"), f"no {text!r} to click"
            time.sleep(2)
        if picture.top:
            self.evaluate(f"({FIND})({json.dumps(picture.top)}).scrollIntoView(true)")
            time.sleep(1)
        target.write_bytes(base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser() -> Iterator[Page]:
    """A page of a headless Chromium with a profile of its own."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "install chromium"
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0"]
        process = subprocess.Popen(
            [chromium, *options, f"--user-data-dir={profile}", "about:blank"], stderr=subprocess.DEVNULL
        )
        try:
            said = Path(profile) / "DevToolsActivePort"
            while not said.exists() or len(said.read_text().split()) < 2:
                assert process.poll() is None, "chromium did not start"
                time.sleep(0.1)
            port = said.read_text().split()[0]
            pages = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json"))
            address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
            with connect(address, max_size=None) as socket:
                yield Page(socket)
        finally:
            process.terminate()
            process.wait(30)


def main() -> None:
    """Takes all pictures, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True, help="Port of a running UI.")
    parser.add_argument("names", nargs="*", help="Pictures to take; all if none is named.")
    arguments = parser.parse_args()
    with browser() as page:
        for picture in PICTURES:
            if not arguments.names or picture.name in arguments.names:
                target = FOLDER / f"{picture.name}.png"
                page.take(f"http://127.0.0.1:{arguments.port}", picture, target)
                assert target.stat().st_size < SIZE_MAX, f"{target} has {target.stat().st_size:,} bytes"
                print(f"{target.name}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
