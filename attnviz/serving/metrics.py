"""Numbers about the server for Prometheus: requests, waiting, computing, and what is in memory.

Who loads models and keeps caches stands above this module, and tells it what they hold by `add_memory`.
"""

from __future__ import annotations

import functools
import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from attnviz.serving.queue import ForwardQueue, forward_queue
from attnviz.serving.requests import Request

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


@dataclass(frozen=True)
class Held:
    """What a model and its cache take.

    Attributes:
        model: its name.
        model_bytes: of its weights.
        cache_bytes: of what was computed with it.
        cache_entries: how many recordings, measures and the like that are.
    """

    model: str
    model_bytes: int
    cache_bytes: int
    cache_entries: int


class Metrics:
    """Counts requests that it is shown, and asks the queue and the caches when somebody reads.

    Example:
        >>> metrics = Metrics(ForwardQueue(read_limits({})))
        >>> metrics(Request("heads", "one"))
        >>> 'attnviz_requests_total{outcome="ok",request="heads"} 1.0' in metrics.text()
        True
    """

    def __init__(self, queue: ForwardQueue) -> None:
        self._registry = CollectorRegistry()
        labels = ("request", "outcome")
        self._requests = Counter("attnviz_requests", "Runs of pages and calls.", labels, registry=self._registry)
        self._tokens = Counter("attnviz_tokens", "Tokens of the texts that were computed.", registry=self._registry)
        self._seconds, self._queue_seconds, self._forward_seconds = (
            Histogram(f"attnviz_{name}", text, buckets=_SECONDS, registry=self._registry)
            for name, text in (
                ("request_seconds", "From the beginning of a request to its end."),
                ("queue_seconds", "Of these, waiting for a turn, where the request needed a model."),
                ("forward_seconds", "Of these, having a turn, likewise."),
            )
        )
        self._memory: Callable[[], Iterable[Held]] = tuple
        self._registry.register(_Now(queue, self))

    def __call__(self, request: Request) -> None:
        """Counts a request that has ended."""
        self._requests.labels(request.page, request.outcome).inc()
        self._tokens.inc(request.tokens)
        self._seconds.observe(request.seconds)
        if request.turns:
            self._queue_seconds.observe(request.queue_seconds)
            self._forward_seconds.observe(request.forward_seconds)

    def add_memory(self, memory: Callable[[], Iterable[Held]]) -> None:
        """Names what says, when somebody reads, which models are in memory and what is kept beside them."""
        self._memory = memory

    def memory(self) -> Iterable[Held]:
        """What is in memory now."""
        return self._memory()

    def text(self) -> str:
        """All numbers as Prometheus reads them."""
        return generate_latest(self._registry).decode()


class _Now(Collector):
    """Numbers that are as they are at the moment when they are read."""

    def __init__(self, queue: ForwardQueue, metrics: Metrics) -> None:
        self._queue, self._metrics = queue, metrics

    def collect(self) -> Iterator[Metric]:
        """Asks for them."""
        yield GaugeMetricFamily("attnviz_queue_waiting", "Computations that wait.", value=self._queue.waiting)
        yield GaugeMetricFamily("attnviz_queue_computing", "Computations that run.", value=self._queue.computing)
        families = {
            name: GaugeMetricFamily(f"attnviz_{name}", text, labels=["model"])
            for name, text in (
                ("model_bytes", "Weights of the models in memory."),
                ("cache_bytes", "What was computed with each of them and is kept."),
                ("cache_entries", "How many things that are."),
            )
        }
        for held in self._metrics.memory():
            for name, family in families.items():
                family.add_metric([held.model], getattr(held, name))
        yield from families.values()


@functools.cache
def metrics() -> Metrics:
    """The numbers of this process."""
    return Metrics(forward_queue())


def may_read(authorization: str, token: str) -> bool:
    """Whether the header Authorization of a request shows the token; nobody may where there is none.

    >>> may_read("Bearer secret", "secret"), may_read("Bearer ", "")
    (True, False)
    """
    return bool(token) and hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode())
