"""What the tests of the training share: the bundled files, a treebank of two sentences, a token made by hand."""

from __future__ import annotations

from pathlib import Path

import attnviz
from attnviz.tokenization.token import Token

BUNDLED = Path(attnviz.__file__).parent / "bundled"

TREES = """\
# sent_id = a
# text = Er ging zum Haus.
1\tEr\ter\tPRON\t_\t_\t2\tnsubj\t_\t_
2\tging\tgehen\tVERB\t_\t_\t0\troot\t_\t_
3-4\tzum\t_\t_\t_\t_\t_\t_\t_\t_
3\tzu\tzu\tADP\t_\t_\t5\tcase\t_\t_
4\tdem\tder\tDET\t_\t_\t5\tdet\t_\t_
5\tHaus\tHaus\tNOUN\t_\t_\t2\tobl:arg\t_\tSpaceAfter=No
5.1\tgehen\tgehen\tVERB\t_\t_\t_\t_\t2:conj\t_
6\t.\t.\tPUNCT\t_\t_\t2\tpunct\t_\t_

# sent_id = b
# text = Der Hund bellt.
1\tDer\tder\tDET\t_\t_\t2\tdet\t_\t_
2\tHund\tHund\tNOUN\t_\t_\t3\tnsubj\t_\t_
3\tbellt\tbellen\tVERB\t_\t_\t0\troot\t_\tSpaceAfter=No
4\t.\t.\tPUNCT\t_\t_\t3\tpunct\t_\t_
"""


def token(text: str, start: int, *, special: bool = False) -> Token:
    return Token(7, text, special, None, None, None) if special else Token(7, text, False, 0, start, start + len(text))
