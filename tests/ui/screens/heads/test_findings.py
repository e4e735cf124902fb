"""What a head was measured to do, in one line."""

from __future__ import annotations

from dataclasses import replace

from attnviz.measures.findings import Finding
from attnviz.ui.components.heads.head_findings import finding_text


def test_findings_are_said_in_a_line() -> None:
    item = Finding("encoder", 2, 7, "relation", 0.71, 0.46, 300, "obj", "to_dependent", "de", offset=-1)
    assert finding_text(item) == "verb → its object: 71\u00a0%, fixed offset 46\u00a0% (German)"
    assert finding_text(replace(item, direction="to_head", most_words=12)) == (
        "object → its verb: 71\u00a0%, fixed offset 46\u00a0% (German, up to 12 words)"
    )
    assert (
        finding_text(replace(item, relation="clf", language="th"))
        == "clf: head → dependent: 71\u00a0%, fixed offset 46\u00a0% (th)"
    )
    assert finding_text(Finding("encoder", 0, 1, "position", 0.934, offset=-1)) == "the token before: 93\u00a0%"
    assert finding_text(Finding("encoder", 0, 1, "position", 0.91, offset=3)) == "3 tokens after: 91\u00a0%"
    assert finding_text(Finding("cross", 3, 5, "alignment", 0.74, 0.61, rows="before")) == (
        "the word to translate next: 74\u00a0%, same place in the sentence 61\u00a0%"
    )
