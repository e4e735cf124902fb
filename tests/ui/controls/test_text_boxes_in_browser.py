"""The box for texts as a reader meets it: several lines, files, and texts that no address holds."""

from __future__ import annotations

import re
from base64 import b64encode

from playwright.sync_api import Browser, Page, expect
from support.browsing import RESTS, address_parameters, click_page_name, new_context, text_box, wait_until_drawn

from attnviz.ui.controls.long_texts import text_name

LONG = "The old dog saw the ball. 学 😀\n" * 260
# A file's bytes come as base64: a list of a million numbers takes Playwright seconds.
DROP = """([name, type, content]) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([Uint8Array.from(atob(content), (one) => one.charCodeAt(0))], name, { type }));
  for (const kind of ['dragover', 'drop']) {
    document.querySelector('.st-key-sentence textarea').dispatchEvent(
      new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
  }
}"""
PASTE = """([text, picture]) => {
  const clipboardData = new DataTransfer();
  if (picture) clipboardData.items.add(new File([new Uint8Array([1])], 'picture.png', { type: 'image/png' }));
  else clipboardData.setData('text/plain', 'x'.repeat(text));
  document.querySelector('.st-key-sentence textarea').dispatchEvent(
    new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
}"""


def test_a_box_takes_lines_and_files_and_says_what_it_cannot_read(page: Page) -> None:
    page.goto("/?sentence=One.")
    wait_until_drawn(page, "One.")
    box, note = text_box(page), page.locator(".attnviz-file-note")
    box.press("Control+End")
    box.press("Shift+Enter")
    page.keyboard.type("Two.")
    page.keyboard.press("Enter")
    wait_until_drawn(page, "One.\nTwo.")
    for name, kind, content, says in (
        ("cat.png", "image/png", b"\x89PNG", "is a picture"),
        ("notes.txt", "text/plain", "Über".encode("utf-16"), "UTF-16"),
        ("notes.txt", "text/plain", "Über".encode("utf-16-le"), "UTF-16"),
        ("notes.txt", "text/plain", "Über".encode("latin-1"), "not stored as UTF-8"),
        ("paper.pdf", "application/pdf", b"%PDF-1.4\x00\x01\xff", "not text"),
        ("empty.md", "", b"", "is empty"),
        ("book.txt", "text/plain", b"a" * 1_000_001, "larger than 1 MB"),
    ):
        page.evaluate(DROP, [name, kind, b64encode(content).decode()])
        expect(note).to_contain_text(f"“{name}”")
        expect(note).to_contain_text(says)
    page.evaluate(PASTE, [1_000_001, False])
    expect(note).to_contain_text("would be larger")
    page.evaluate(PASTE, [0, True])
    expect(note).to_contain_text("pasted a picture")
    expect(box).to_have_value("One.\nTwo.")
    page.evaluate(DROP, ["text.md", "", b64encode("\ufeffÜber den Hund.\r\nZwei.".encode()).decode()])
    wait_until_drawn(page, "Über den Hund.\nZwei.")
    expect(note).to_be_empty()
    assert address_parameters(page)["sentence"] == ["Über den Hund.\nZwei."]
    with page.expect_file_chooser() as chooser:
        page.locator(".attnviz-file").click()
    chooser.value.set_files({"name": "text.txt", "mimeType": "text/plain", "buffer": b"Three\nlines\nhere."})
    wait_until_drawn(page, "Three\nlines\nhere.")


def test_a_text_too_long_for_a_link_is_kept_in_its_tab_and_the_link_says_so(
    page: Page, browser: Browser, app_url: str
) -> None:
    name = text_name(LONG)
    page.goto("/?sentence=One.")
    wait_until_drawn(page, "One.")
    text_box(page).fill(LONG)
    note = page.locator(".attnviz-file-note")
    expect(note).to_contain_text("A copied link leaves the text out")
    expect(page.get_by_test_id("stAlert")).to_contain_text("positions for 512")
    page.wait_for_function(
        """(name) => {
          const asked = new URLSearchParams(location.search);
          return asked.get("sentence_left_out") === name && !asked.has("sentence");
        }""",
        arg=name,
    )
    page.wait_for_function(RESTS)
    page.reload()
    expect(text_box(page)).to_have_value(LONG)
    expect(note).to_contain_text("A copied link leaves the text out")
    page.wait_for_function(RESTS)
    click_page_name(page, "Overview")
    expect(page).to_have_url(re.compile(rf"/overview\?.*{name}"))
    expect(text_box(page)).to_have_value(LONG)
    page.wait_for_function(RESTS)

    # Another tab of this browser gets the text from the first one; other browsers cannot.
    beside = page.context.new_page()
    beside.goto(page.url)
    expect(text_box(beside)).to_have_value(LONG)
    beside.close()
    elsewhere = new_context(browser, base_url=app_url).new_page()
    elsewhere.goto(page.url)
    expect(elsewhere.locator(".attnviz-file-note")).to_contain_text("This link leaves its text out (7,800 characters)")
    expect(text_box(elsewhere)).to_have_value("")
    elsewhere.context.close()

    text_box(page).fill("Der Hund.")
    wait_until_drawn(page, "Der Hund.")
    page.wait_for_function("location.search === '?sentence=Der+Hund.'")
    page.wait_for_function(RESTS)
    page.go_back()
    expect(text_box(page)).to_have_value(LONG)
