"""That a tab which is used again has nothing of the test before."""

from __future__ import annotations

from support.browsing import RESTS
from support.tabs import Tabs

STORED = """async () => [
  sessionStorage.length, localStorage.length, document.cookie.replace(/=[^;]*/g, ''), window.name, history.length,
  innerWidth, innerHeight, matchMedia('(prefers-color-scheme: dark)').matches,
  matchMedia('(prefers-reduced-motion: reduce)').matches, document.documentElement.lang, navigator.language,
  (await navigator.permissions.query({ name: 'clipboard-read' })).state, (await indexedDB.databases()).length,
]"""


def test_a_tab_that_is_used_again_is_as_good_as_new(tabs: Tabs) -> None:
    def arrive(locale: str = "en-GB") -> list[object]:
        page = tabs.open(locale=locale)
        page.goto("/?sentence=Hund")
        page.wait_for_function(f"{RESTS} && document.querySelector('.attnviz-ready')")
        return page.evaluate(STORED)

    tabs.close()  # what tests before this one have opened
    new = arrive()
    first = tabs.open()
    tabs.outside_requests.append("http://example.org/")
    first.evaluate(
        """async () => {
          for (const store of [sessionStorage, localStorage]) store.setItem('attnviz-test', 'left');
          document.cookie = 'left=1';
          window.name = 'left';
          history.pushState({}, '', '?lang=de');
          await new Promise((done) => (indexedDB.open('left').onsuccess = done));
          setTimeout(() => { throw new Error('left'); });
        }"""
    )
    first.emulate_media(color_scheme="dark", reduced_motion="reduce")
    first.set_viewport_size({"width": 390, "height": 844})
    first.context.grant_permissions(["clipboard-read"])
    first.context.new_page().goto("/overview")
    assert first.evaluate(STORED) != new
    assert ["left" in error for error in tabs.page_errors] == [True]
    tabs.leave()
    assert tabs.page_errors == tabs.outside_requests == tabs.dialogs == []
    assert arrive() == new
    assert tabs.open() is first and first.context.pages == [first]
    # Readers of another language have a tab of their own.
    assert arrive("nl")[-4:-2] == ["nl", "nl"]
    assert tabs.open(locale="nl") is not first
