"""Random and hostile requests to the API, made by schemathesis from the API's own description."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

NASTY = (
    "", " ", "\x00", "\ud800", "\u202e", "\ufeff", "\U0001f469\u200d\U0001f467" * 20, "a" * 3_000, "{0}{1!r}", "%s%n",
    "</svg><script>alert(1)</script>", "../../../etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/x", "~root",
    "C:\\x", "'; DROP TABLE x; --", "`$(id)`", "</s>", "[CLS] [MASK] [SEP]", "<|endoftext|>", "Der Hund sah den Ball.",
    "\n".join("x" * 50), "\u0661\u0662\u0663", "ß" * 500,
)  # fmt: skip

# What a text or a layer may be depends on the model, so what a schema allows may still be refused, and the other way
# round. 503 is an answer like others: somebody has to wait.
EXCLUDED = [
    schemathesis.checks.negative_data_rejection,
    schemathesis.checks.positive_data_acceptance,
    schemathesis.checks.not_a_server_error,
]


def send_all(schema: Any, count: int, *, begin_with: int = 0) -> Counter[int]:
    """Sends so many requests to each call of the API, valid and not, and checks each answer by the description.

    Args:
        schema: as schemathesis has loaded it.
        count: requests to each call.
        begin_with: the same number makes the same requests.

    Returns:
        How many answers there were of each status.

    Raises:
        AssertionError: an answer that the description does not know, one with status 500, or one with a traceback.
    """
    seen: Counter[int] = Counter()
    for result in schema.get_all_operations():
        operation = result.ok()
        modes = st.sampled_from(list(schemathesis.GenerationMode))

        @seed(begin_with)
        @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=modes.flatmap(operation.as_strategy), chance=st.randoms(use_true_random=False))
        def send(case: schemathesis.Case, chance: random.Random) -> None:
            put_something_nasty(case, chance)
            answer = case.call(timeout=120)
            seen[answer.status_code] += 1
            assert answer.status_code != 500 and "Traceback" not in answer.text, answer.text
            case.validate_response(answer, excluded_checks=EXCLUDED)

        send()
    return seen


def put_something_nasty(case: schemathesis.Case, chance: random.Random) -> None:
    """Replaces one of the texts of every third request by something that other programs have stumbled over."""
    values = case.body if isinstance(case.body, dict) else case.query
    if isinstance(values, dict) and values and chance.random() < 0.35:
        nasty = chance.choice(NASTY)
        # Half of a pair of surrogates can be written in JSON and not in an address.
        values[chance.choice(sorted(values))] = nasty if values is case.body else nasty.replace("\ud800", "\ufffd")
