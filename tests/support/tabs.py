"""Tabs that tests open one after the other; each finds one that knows nothing of the test before."""

from __future__ import annotations

import contextlib
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Dialog, Error, Page, Request, WebError

from support.browsing import new_context

# The app's shortest answer: a page of the app's own origin on which none of its program runs.
NOTHING = "/_stcore/health"


def outside(url: str) -> bool:
    """Whether an address leads away from this machine."""
    parts = urlsplit(url)
    return parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname != "127.0.0.1"


class Tabs:
    """One tab for readers of each kind, which is used again by test after test.

    What a browser has read and compiled for a tab it need not read again there: opening a page of the app in a tab that
    showed one before takes about half the processor time of opening it in a new one. Before another test gets a tab,
    everything is gone that a page can leave in it: stored data, cookies, permissions, the history, other tabs, the
    size, emulated settings. A test that changes a tab by other means, such as Playwright's routes, opens one of its own
    with `new_context`.

    Attributes:
        outside_requests: addresses outside this machine that pages have asked for since `leave`.
        page_errors: what pages' programs threw and did not catch.
        dialogs: what pages said in windows of the browser's own, such as an `alert`; they are closed at once.
    """

    def __init__(self, browser: Browser, url: str) -> None:
        """`url` is the app's address, to which relative addresses lead."""
        self.browser = browser
        self.url = url
        self.profiles: dict[str, BrowserContext] = {}
        self.outside_requests: list[str] = []
        self.page_errors: list[str] = []
        self.dialogs: list[str] = []

    def open(self, *, locale: str = "en-GB", width: int = 1366, height: int = 900, still: bool = False) -> Page:
        """An empty tab of the browser.

        Args:
            locale: the language of its reader; each has a profile of its own.
            width, height: of its inner window in CSS pixels; those of a laptop where they are not given.
            still: whether its reader has asked for less movement.
        """
        profile = self.profiles.get(locale)
        if profile is None:
            profile = self.profiles[locale] = self._profile(locale)
        page = profile.pages[0] if profile.pages else self._tab(profile)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(
            media="screen",
            color_scheme="light",
            reduced_motion="reduce" if still else "no-preference",
            forced_colors="none",
        )
        return page

    def leave(self) -> None:
        """Closes all tabs but the first of each profile and empties what pages have left."""
        for profile in self.profiles.values():
            for tab in profile.pages[1:]:
                tab.close()
            for tab in profile.pages:
                try:
                    self._empty(tab)
                except Error:  # it does not answer any more
                    tab.close()
            profile.clear_cookies()
            profile.clear_permissions()
        for noted in (self.outside_requests, self.page_errors, self.dialogs):
            noted.clear()

    def close(self) -> None:
        """Closes all tabs; the next ones are new."""
        for profile in self.profiles.values():
            profile.close()
        self.profiles.clear()

    def _profile(self, locale: str) -> BrowserContext:
        # The browser's flags already keep every request from leaving this machine; here they are only listed.
        # Playwright's routes could refuse them too, but each file of the app would then go through this process: a
        # fifth slower.
        def note_request(request: Request) -> None:
            self.outside_requests.extend([request.url] * outside(request.url))

        def note_error(error: WebError) -> None:
            self.page_errors.append(str(error.error))

        def dismiss(dialog: Dialog) -> None:
            self.dialogs.append(dialog.message)
            with contextlib.suppress(Error):  # the page may be gone by now
                dialog.dismiss()

        profile = new_context(self.browser, base_url=self.url, locale=locale, viewport={"width": 1366, "height": 900})
        profile.on("request", note_request)
        profile.on("weberror", note_error)
        profile.on("dialog", dismiss)
        return profile

    def _tab(self, profile: BrowserContext) -> Page:
        page = profile.new_page()
        # A web socket is not among the requests.
        page.on("websocket", lambda socket: self.outside_requests.extend([socket.url] * outside(socket.url)))
        return page

    def _empty(self, tab: Page) -> None:
        """Leaves the page, which ends its visit on the server, and all that it has stored."""
        tab.goto(NOTHING)
        tab.evaluate("sessionStorage.clear(); window.name = ''")
        session = tab.context.new_cdp_session(tab)
        kinds = "cookies,local_storage,indexeddb,cache_storage,service_workers"
        session.send("Storage.clearDataForOrigin", {"origin": self.url, "storageTypes": kinds})
        session.send("Page.resetNavigationHistory")
        session.detach()
