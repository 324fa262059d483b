"""Headless Chromium, Debian's, as Airflow's users see the monitor."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FrameLocator, Page, expect, sync_playwright

from tests.support.running_machine import Machine

CHROMIUM = shutil.which("chromium")
PATIENCE = 180_000  # milliseconds for whatever a page shall come to show; a busy machine needs many of them
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, until left."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        yield browser
        browser.close()


class Visitor:
    """Somebody who has logged in; `asked` is every address that their browser has asked for."""

    def __init__(self, browser: Browser, machine: Machine, user: str, **how: Any) -> None:
        self.base = f"http://127.0.0.1:{machine.port}"
        self.page: Page = browser.new_context(
            viewport=how.pop("viewport", {"width": 1400, "height": 900}), **how
        ).new_page()
        self.page.set_default_timeout(PATIENCE)
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        passwords = json.loads((machine.instance.home / "keys" / "airflow_passwords.json").read_text())
        self.login = {"username": user, "password": passwords[user]}
        token = self.page.request.post(f"{self.base}/auth/token", data=self.login).json()["access_token"]
        self.page.context.add_cookies([{"name": "_token", "value": token, "url": self.base}])

    def close(self) -> None:
        self.page.context.close()

    def log_in_by_hand(self) -> None:
        """As people do, by the form."""
        self.page.context.clear_cookies()
        self.page.goto(f"{self.base}/auth/login")
        for name, value in self.login.items():
            self.page.fill(f"input[name={name}]", value)
        self.page.click("button[type=submit]")
        self.page.wait_for_url(f"{self.base}/")

    def open(self, path: str = "/") -> Page:
        """A page of the monitor by itself, loaded; its charts are drawn once they are seen."""
        self.page.goto(f"{self.base}/prakerja{path}")
        return self.page

    def open_in_airflow(self, path: str = "") -> FrameLocator:
        """The same as Airflow shows it, beside its navigation."""
        self.page.goto(f"{self.base}/plugin/prakerja{path and '/prakerja' + path}")
        frame = self.page.frame_locator("iframe")
        frame.locator("h1").wait_for()
        return frame

    def faults(self) -> list[str]:
        """What axe finds serious or worse in the page that is open."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {each['help']} ({each['nodes'][0]['html'][:120]})"
            for each in found
            if each["impact"] in ("serious", "critical")
        ]
