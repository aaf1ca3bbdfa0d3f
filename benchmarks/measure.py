"""What the benchmarks share: the machine and its limit, silence, fresh processes, timers, and where results go."""

import contextlib
import functools
import io
import json
import logging
import multiprocessing
import os
import platform
import re
import statistics
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from unittest.mock import patch

import lightning
import numpy as np
import torch

import flt
from flt.files import write_atomically

RESULTS = Path(__file__).parent / "results"
GIB = 2**30
MATRIX_SIZES = {"cpu": 2048, "cuda": 8192}


def machine() -> dict[str, Any]:
    """What the numbers depend on besides the code."""
    names = re.findall(r"^model name\s*: (.*)", _text("/proc/cpuinfo"), re.MULTILINE)
    found = {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB,
        "system": platform.system(),
    }
    return found | ({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {})


def versions() -> dict[str, str | None]:
    own = {module.__name__: module.__version__ for module in (flt, torch, lightning, np)}
    return {"python": platform.python_version(), **own, "cuda": torch.version.cuda}


def describe_machine() -> str:
    here = machine()
    device = f"{here['gpu']}, " if "gpu" in here else ""
    return (
        f"{device}{here['processor']}, {here['cores']} cores, {here['threads']} threads,"
        f" {here['memory_gib']:.0f} GiB; torch {torch.__version__}, lightning {lightning.__version__}"
    )


def save(folder: Path, name: str, results: dict[str, Any]) -> None:
    """Writes ``results`` with machine, versions and date into ``folder``, and says where."""
    date = datetime.now(timezone.utc).date().isoformat()
    content = {"date": date, "machine": machine(), "versions": versions(), **results}
    write_atomically(folder / f"{name}.json", json.dumps(_rounded(content), indent=2) + "\n")
    say(f"results in {folder / name}.json")


def say(text: str = "") -> None:
    print(text, flush=True)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Nothing of what Lightning and a run have to say."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    silence = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
        warnings.simplefilter("ignore")
        yield


# Time


def synchronize(device: torch.device) -> None:
    """Waits for what the device has been given to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def median_seconds(
    function: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Median over ``repeats`` calls, after as many in which the allocator learns what is asked of it."""
    seconds = []
    for _ in range(2 * repeats):
        start = clock()
        function()
        seconds.append(clock() - start)
    return statistics.median(seconds[repeats:])


def spread(values: list[float]) -> dict[str, float]:
    """The median of some numbers, the least and the most."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def matrix_product_limit(device: torch.device, dtype: torch.dtype = torch.float32) -> float:
    """Floating-point operations a second in the best of ten square matrix products."""
    size, best = MATRIX_SIZES[device.type], float("inf")
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    for _ in range(10):
        synchronize(device)
        start = time.perf_counter()
        left @ right
        synchronize(device)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


class Timers:
    """Seconds by part of the work; what is timed within another part counts for itself alone.

    Args:
        device: Where the work is done; a GPU is waited for whenever one part ends and another begins.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._device = device or torch.device("cpu")
        self._open: list[str] = []
        self._since = 0.0

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, whose time counts for ``part``."""

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self._charge()
            self._open.append(part)
            try:
                return function(*args, **kwargs)
            finally:
                self._charge()
                self._open.pop()

        return wrapped

    @contextlib.contextmanager
    def on(self, targets: Iterable[tuple[Any, str, str]]) -> Iterator[None]:
        """Times the functions ``(owner, name, part)`` for a while."""
        with contextlib.ExitStack() as stack:
            for owner, name, part in targets:
                stack.enter_context(patch.object(owner, name, self.timed(part, getattr(owner, name))))
            yield

    def _charge(self) -> None:
        synchronize(self._device)
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now


# Memory


def in_fresh_processes(function: Callable[..., Any], *calls: tuple[Any, ...]) -> list[Any]:
    """Results of a function of one of the benchmarks, each call in a new process, all at the same time."""
    context = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        pools = [stack.enter_context(ProcessPoolExecutor(1, mp_context=context)) for _ in calls]
        futures = [pool.submit(function, *arguments) for pool, arguments in zip(pools, calls, strict=True)]
        return [future.result() for future in futures]


def peak_memory() -> float:
    """Largest resident memory of this process so far, or since `reset_peak_memory`, in bytes; on Linux."""
    # Not getrusage's, which is inherited: a new process would begin with the peak of the one that started it.
    return _status("VmHWM")


def resident_memory(process: int | str = "self") -> float:
    """Resident memory of a process now, by its id, in bytes; on Linux."""
    return _status("VmRSS", process)


def processor_seconds(process: int) -> float:
    """Seconds that a process has spent on processors, by its id; on Linux."""
    fields = _text(f"/proc/{process}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def reset_peak_memory() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _status(name: str, process: int | str = "self") -> float:
    kilobytes = re.search(rf"^{name}:\s+(\d+)", _text(f"/proc/{process}/status"), re.MULTILINE)
    return float(kilobytes[1]) * 1024 if kilobytes else float("nan")


def _text(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if value == value else None
    return value
