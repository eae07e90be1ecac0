"""Chromium, driven by Playwright: Debian's, without a window, that reaches this machine alone."""

import contextlib
import json
import shutil

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]


@contextlib.contextmanager
def chromium():
    program = shutil.which("chromium")
    assert program, "chromium is missing: run scripts/install-dependencies test"
    with sync_playwright() as playwright:
        # The sandbox needs rights that root in a container lacks; only pages of the tests are opened.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


class Tab:
    """A page with what went wrong on it."""

    def __init__(self, browser, *, viewport=DESKTOP, scheme="light", reduced_motion="reduce"):
        self._context = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion=reduced_motion)
        self.page = self._context.new_page()
        self.page.set_default_timeout(30_000)
        self.problems = []
        self.requests = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda message: message.type == "error" and self.problems.append(message.text))
        self.page.on("dialog", lambda dialog: (self.problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._context.close()

    def answer(self, path, value):
        """From now on requests for `path` are answered with `value`, as JSON, and not by the server."""
        self.page.unroute(f"**{path}")
        self.page.route(f"**{path}", lambda route: route.fulfill(content_type="application/json", body=json.dumps(value)))

    def text(self, selector):
        return self.page.locator(selector).inner_text()

    def texts(self, selector):
        return self.page.locator(selector).all_inner_texts()

    def overflows(self):
        return self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")

    def accessibility_problems(self):
        found = Axe().run(self.page, options={"runOnly": STANDARDS}).response["violations"]
        return [(violation["id"], [node["html"] for node in violation["nodes"]]) for violation in found]
