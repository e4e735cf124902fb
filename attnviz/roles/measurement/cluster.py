"""Parts of a corpus read by several processes, on one machine or many, with Ray (`pip install attnviz[cluster]`).

Each process is an actor that holds the model, on a GPU of its own where there are some. A part whose process dies is
read again by its successor; only what a process gave back is counted, and each part once.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from typing import Any

import torch

from attnviz.errors import InputError
from attnviz.models.model import Model
from attnviz.roles.corpora.corpus import Text
from attnviz.roles.measurement.parts import PartResult, Settings, read_part

Part = list[tuple[int, Text]]
WAITING = 2
"""Parts that are given to a process at a time, so that none waits for the next."""


class _Reader:
    """Holds a model and reads parts; lives in a process of its own."""

    def __init__(self, sent: dict[str, Any], settings: Settings, threads: int) -> None:
        torch.set_num_threads(threads)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        # Made anew, because a network that has run holds hooks of transformers, which are lost on the way.
        network = sent["class"](sent["config"]).to(sent["dtype"])
        network.load_state_dict(sent["weights"])
        self.model, self.settings = Model(network.to(device), sent["tokenizer"], name=sent["name"]), settings

    def read(self, part: Part) -> PartResult:
        """What a part leaves."""
        return read_part(self.model, part, self.settings)


def read_parts(
    model: Model,
    numbered: Iterable[tuple[int, Part]],
    settings: Settings,
    *,
    address: str | None = None,
    workers: int | None = None,
) -> Generator[tuple[int, Part, PartResult], None, None]:
    """Reads parts in several processes and gives them back as they are done, in any order.

    Args:
        model: whose heads are measured; its network is sent to every process.
        numbered: the parts with their numbers.
        settings: how they are read.
        address: of a cluster that runs ("auto", "ray://host:10001"); None to start one on this machine, which nobody
            else can reach.
        workers: how many processes; None for one a GPU, or where there is none, one for each two processors.

    Raises:
        InputError: Ray is not installed.
    """
    ray, is_ours = _start(address, workers)
    try:
        gpus = int(ray.cluster_resources().get("GPU", 0))
        processors = int(ray.cluster_resources().get("CPU", 1))
        count = workers or gpus or max(1, processors // 2)
        threads = max(1, processors // count)
        actor = ray.remote(_Reader).options(
            num_cpus=0 if gpus else 1, num_gpus=1 if gpus else 0, max_restarts=-1, max_task_retries=-1
        )
        # Kept here for as long as a process may have to start again.
        shared = ray.put(_sent(model))
        readers = [actor.remote(shared, settings, threads) for _ in range(count)]
        running: dict[Any, tuple[int, Part, int]] = {}
        waiting = iter(numbered)
        free = [index for index in range(count) for _ in range(WAITING)]
        while True:
            while free and (item := next(waiting, None)) is not None:
                index = free.pop()
                running[readers[index].read.remote(item[1])] = (*item, index)
            if not running:
                return
            done, _ = ray.wait(list(running), num_returns=1)
            number, part, index = running.pop(done[0])
            free.append(index)
            yield number, part, ray.get(done[0])
    finally:
        if is_ours:  # of a cluster only the connection ends, and with it the readers
            ray.shutdown()


def _sent(model: Model) -> dict[str, Any]:
    network = model.network
    return {
        "class": type(network),
        "config": network.config,
        "dtype": model.dtype,
        "weights": {name: tensor.cpu() for name, tensor in network.state_dict().items()},
        "tokenizer": model.tokenizer,
        "name": model.name,
    }


def _start(address: str | None, workers: int | None) -> tuple[Any, bool]:
    """Ray, started or connected to a cluster, and whether this did so and not the caller before."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address is None:
        # Without a cluster to belong to, all of it listens on 127.0.0.1 alone.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    try:
        import ray
    except ImportError as error:
        raise InputError(
            "Measuring in several processes needs Ray. Install it with `pip install attnviz[cluster]`, or leave out "
            "the address and the number of workers."
        ) from error
    is_ours = not ray.is_initialized()
    if is_ours:
        if address is not None:
            ray.init(address=address, log_to_driver=False)
        else:
            ray.init(
                # Without this it would join a cluster that somebody else runs on this machine, or fail to.
                address="local",
                num_cpus=max(workers or 0, os.cpu_count() or 1),
                include_dashboard=False,
                log_to_driver=False,
            )
    return ray, is_ours
