"""What heads are for, measured over a corpus: roles with baselines and intervals, and where in the texts they show.

    from attnviz.roles import measure, find, examples

    table = measure(attnviz.load("bundled"), "texts.txt")
    table.heads                                  # one row a head
    table.find("previous token")                 # the heads that have a role, best first
    examples(table, "encoder", 2, 5, count=10)   # where in the texts

`measuring.py` runs, `table.py` holds the result, `catalogue.py` says what the roles are.
"""

from attnviz.roles.catalogue import ROLES, Role
from attnviz.roles.corpus import Text
from attnviz.roles.examples import (
    Example,
    ExamplesIndex,
    examples,
    random_examples,
    search,
)
from attnviz.roles.measuring import measure
from attnviz.roles.table import HeadRole, RolesTable, find

__all__ = [
    "ROLES",
    "Example",
    "ExamplesIndex",
    "HeadRole",
    "Role",
    "RolesTable",
    "Text",
    "examples",
    "find",
    "measure",
    "random_examples",
    "search",
]
