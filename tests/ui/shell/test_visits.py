"""Who waits for a turn sees how many come before, as it changes, and nothing of it afterwards."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def waiting_page(last: int) -> None:
    from attnviz.serving.requests import current
    from attnviz.ui.shell import visits

    visits.PATIENCE_SECONDS, usual = -1.0, visits.PATIENCE_SECONDS
    with visits.page_request("heads"):
        running = current()
        assert running and running.while_waiting
        for before in (3, 2, last):
            running.while_waiting(before)
    visits.PATIENCE_SECONDS = usual


def test_the_place_changes_while_one_waits_and_goes_with_the_turn() -> None:
    texts = {
        before: [info.value for info in AppTest.from_function(waiting_page, args=(before,)).run().info]
        for before in (2, 1, 0)
    }
    assert texts == {
        2: ["One moment: 2 computations come before yours."],
        1: ["One moment: your computation is the next."],
        0: [],
    }
