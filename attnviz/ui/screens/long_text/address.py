"""Which region of the map is shown and which passage is asked about, in the address; and what of it is not there.

region=900-1400_0-700   queries 900 to 1399, keys 0 to 699
passage=37, direction=received   what looks at passage 37; without a direction, what it looks at
"""

from __future__ import annotations

import re
from typing import NamedTuple

import streamlit as st

from attnviz.ui.controls.url_state import Say, shorten
from attnviz.ui.shell.messages import _

REGION, PASSAGE, DIRECTION = "region", "passage", "direction"
OF = "attnviz_long_text_of"  # which text the region and the passage of this session are of
RECEIVED = "received"


class Region(NamedTuple):
    """Queries `first` … `stop` - 1 and keys `key_first` … `key_stop` - 1.

    >>> Region.read("900-1400_0-700")
    Region(first=900, stop=1400, key_first=0, key_stop=700)
    >>> Region.read("900-1400_0-700").written, Region.read("about there")
    ('900-1400_0-700', None)
    """

    first: int
    stop: int
    key_first: int
    key_stop: int

    @classmethod
    def read(cls, text: str) -> Region | None:
        """The region that an address names; None where it names none."""
        match = re.fullmatch(r"(\d{1,9})-(\d{1,9})_(\d{1,9})-(\d{1,9})", text)
        return cls(*map(int, match.groups())) if match else None

    @property
    def written(self) -> str:
        """As the address has it."""
        return f"{self.first}-{self.stop}_{self.key_first}-{self.key_stop}"

    def fits(self, queries: int, keys: int) -> bool:
        """Whether a map of so many queries and keys has it."""
        return 0 <= self.first < self.stop <= queries and 0 <= self.key_first < self.key_stop <= keys


def forget_other_text(name: str) -> None:
    """Takes region and passage out of the address where the reader has gone over to another text or kind.

    Args:
        name: of the text and all else that decides what its tokens are.
    """
    before = st.session_state.get(OF)
    st.session_state[OF] = name
    if before not in (None, name):
        for key in (REGION, PASSAGE, DIRECTION):
            st.query_params.pop(key, None)


def requested_region(queries: int, keys: int, say: Say) -> Region:
    """The region that the address asks for; the whole map where it asks for none, or for one that is not there.

    Args:
        queries, keys: how many the map has.
        say: told of a region that is not there.
    """
    whole = Region(0, queries, 0, keys)
    text = st.query_params.get(REGION)
    if text is None:
        return whole
    region = Region.read(text)
    if region is not None and region.fits(queries, keys):
        return region
    message = _("There is no region {0} in this map of {1} × {2} tokens; all of it is shown instead.")
    say(message.format(shorten(text), queries, keys))
    st.query_params.pop(REGION, None)
    return whole


def requested_passage(count: int, say: Say) -> int | None:
    """The passage that the address asks about, from 0; None where it asks about none, or there are only `count`."""
    text = st.query_params.get(PASSAGE)
    if text is None:
        return None
    if text.isdecimal() and int(text) < count:
        return int(text)
    say(_("There is no passage {0} in this text, which has {1}.").format(shorten(text), count))
    st.query_params.pop(PASSAGE, None)
    return None


def is_received() -> bool:
    """Whether it is asked what looks at the passage, rather than what it looks at."""
    return st.query_params.get(DIRECTION) == RECEIVED


def write(key: str, value: str | None) -> None:
    """Puts what the reader did in the map into the address, or takes it out; for callbacks."""
    if value is None:
        st.query_params.pop(key, None)
    else:
        st.query_params[key] = value
