"""What the server does not spend processors and memory on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.server import ROOT

from attnviz.serving.requests import Request
from attnviz.ui.server.garbage import GarbageCollector

START = """
import sys
from streamlit import config
from attnviz.ui.server.start import routes
routes()
print(sorted({"torch", "transformers", "pandas"} & set(sys.modules)))
print(config.get_option("runner.postScriptGC"))
import os, torch
print(os.environ["OMP_WAIT_POLICY"])
print(len(config.get_option("server.cookieSecret")) > 30)
"""


def test_a_server_listens_before_torch_is_loaded_lets_its_threads_rest_and_signs_with_a_secret() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment["STREAMLIT_SERVER_COOKIE_SECRET"] = ""
    started = subprocess.run(
        [sys.executable, "-c", START], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    assert started.stdout.split("\n")[:4] == ["[]", "False", "PASSIVE", "True"]


ARENAS = """
import ctypes, sys, threading
from attnviz.ui.server.start import routes
routes()
barrier = threading.Barrier(16)
def work():
    barrier.wait()
    held = [bytes(1000) for _ in range(1000)]
    barrier.wait()
threads = [threading.Thread(target=work) for _ in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
library = ctypes.CDLL(None)
library.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(library.fopen(sys.argv[1].encode(), b"w"))
library.malloc_info(0, file)
library.fclose(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no arenas")
def test_threads_share_the_places_that_they_take_memory_from(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    subprocess.run([sys.executable, "-c", ARENAS, tmp_path / "places"], cwd=ROOT, env=environment, check=True)
    assert (tmp_path / "places").read_text().count("<heap nr=") <= 2


FREED = """
import threading
from pathlib import Path
from attnviz.serving.requests import Request
from attnviz.ui.server.c_memory import take_memory_sparingly
from attnviz.ui.server.garbage import GarbageCollector
def memory():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) // 1024
take_memory_sparingly()
large = b"x" * 15 * 1024**2  # after which the library would leave twice as much free at its end
del large
held = [b"x" * (1024**2 + number) for number in range(25)]
before = memory()
del held
print(before - memory())
looked = threading.Event()
collector = GarbageCollector(0, looked.set)
held = [bytes(1000) for _ in range(200_000)]
held = held[::1000]
before = memory()
collector(Request("heads", "one"))
looked.wait()
for _ in range(100):
    if memory() < before - 150:
        break
    threading.Event().wait(0.1)
print(before - memory())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries do it themselves")
def test_what_is_free_goes_back_to_the_system_also_between_what_is_in_use() -> None:
    process = subprocess.run([sys.executable, "-c", FREED], cwd=ROOT, check=True, capture_output=True, text=True)
    at_the_end, between = map(int, process.stdout.split())
    assert at_the_end > 15, "of 25 MiB"
    assert between > 150, "of 190 MiB"


def test_garbage_is_looked_for_once_for_the_requests_of_a_while() -> None:
    looks = 0
    looked = threading.Event()

    def look() -> None:
        nonlocal looks
        looks += 1
        looked.set()

    collector = GarbageCollector(0.2, look)
    assert not looked.wait(0.4), "nobody has asked for anything yet"
    for _ in range(5):
        collector(Request("heads", "one"))
    assert looked.wait(10)
    time.sleep(0.4)
    assert looks == 1
    looked.clear()
    collector(Request("heads", "one"))
    assert looked.wait(10)
