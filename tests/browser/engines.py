"""Firefox and WebKit, each through its own WebDriver: the engines beside Chromium that readers have.

Playwright drives copies of these two that it would download; what is installed is driven here. Both do the
same three things, so that a test is written once: open a page, run a script in it, wait for one.
"""

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from selenium import webdriver

from tools.built_site import Quiet

SECONDS = 120  # that a script may take, on a busy machine
FIREFOX = ("firefox-esr", "firefox")
MINI_BROWSER = "usr/lib/*/webkit2gtk-4.*/MiniBrowser"
# At the start of every page: its errors are noted, and what it would save is kept.
WATCH = b"""<head><script>
window.troubles = [];
addEventListener("error", event => event.message && troubles.push(event.message));
addEventListener("unhandledrejection", event => troubles.push(String(event.reason)));
const addressOf = URL.createObjectURL;
URL.createObjectURL = blob => { window.saved = blob; return addressOf.call(URL, blob); };
HTMLAnchorElement.prototype.click = () => {};
</script>"""


class Watched(Quiet):
    """Serves the built book, each page with WATCH in its head."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.suffix != ".html" or not path.is_file():
            return super().do_GET()
        page = path.read_bytes().replace(b"<head>", WATCH, 1)
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)


class Engine(NamedTuple):
    """A running browser. Scripts see `arguments`; one that is waited for calls the last of them."""

    open: Callable[[str], Any]
    run: Callable[..., Any]
    wait: Callable[..., Any]


@contextmanager
def firefox() -> Iterator[Engine]:
    """Firefox through Marionette, its own protocol."""
    from marionette_driver.marionette import Marionette  # exists for Python before 3.13

    def script(execute: Callable, text: str, *arguments) -> Any:
        return execute(text, script_args=arguments, sandbox=None)

    with TemporaryDirectory() as folder:  # a path instead, were it a device, would be removed first
        marionette = Marionette(bin=installed(*FIREFOX), headless=True, port=free_port(), gecko_log=folder)
        marionette.start_session()
        marionette.timeout.script = SECONDS
        try:
            run, wait = marionette.execute_script, marionette.execute_async_script
            yield Engine(marionette.navigate, partial(script, run), partial(script, wait))
        finally:
            marionette.quit(in_app=False)


@contextmanager
def webkit() -> Iterator[Engine]:
    """WebKit, the engine of Safari, in its smallest browser, on a display that nobody sees."""
    options = webdriver.WebKitGTKOptions()
    options.binary_location = str(next(Path("/").glob(MINI_BROWSER)))
    options.add_argument("--automation")
    with Popen(
        [installed("Xvfb"), "-displayfd", "1", "-nolisten", "tcp"], stdout=PIPE, text=True
    ) as screen:
        assert screen.stdout is not None
        display = f":{screen.stdout.readline().strip()}"
        service = webdriver.WebKitGTKService(installed("WebKitWebDriver"), env={"DISPLAY": display})
        remote = webdriver.WebKitGTK(options=options, service=service)
        remote.set_script_timeout(SECONDS)
        try:
            yield Engine(remote.get, remote.execute_script, remote.execute_async_script)
        finally:
            remote.quit()
            screen.terminate()


def free_port() -> int:
    """A port that nobody listens on: two browsers on the same one would take each other's orders."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def installed(*names: str) -> str:
    """The path of the first of these programs that is there."""
    return next(filter(None, map(shutil.which, names)))


def missing(name: str) -> str | None:
    """The package without which an engine does not start, or None."""
    if name == "firefox":
        if not any(map(shutil.which, FIREFOX)):
            return "firefox-esr"
        return None if find_spec("marionette_driver") else "marionette-driver"
    if not any(Path("/").glob(MINI_BROWSER)) or not shutil.which("WebKitWebDriver"):
        return "webkit2gtk-driver"
    return None if shutil.which("Xvfb") else "xvfb"


ENGINES = {"firefox": firefox, "webkit": webkit}
