"""What heads are for, measured over a corpus: roles with baselines and intervals, and where in the texts they show.

    from attnviz.roles import measure, find, examples

    table = measure(attnviz.load("bundled"), "texts.txt")
    table.heads                                  # one row a head
    table.find("previous token")                 # the heads that have a role, best first
    examples(table, "encoder", 2, 5, count=10)   # where in the texts

`measurement/measuring.py` runs, `tables/table.py` holds the result, `tables/catalogue.py` says what the roles are.
"""

from attnviz.roles.corpora.corpus import Text
from attnviz.roles.measurement.measuring import measure
from attnviz.roles.tables.catalogue import ROLES, Role
from attnviz.roles.tables.examples import (
    Example,
    ExamplesIndex,
    examples,
    random_examples,
    search,
)
from attnviz.roles.tables.table import HeadRole, RolesTable, find

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
