"""What the machine can do: the peak of its matrix products, and the floor that it sets."""

from __future__ import annotations

import itertools
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.rivals import CPU, finish
from koubai.training.kernels import products


def peak(
    onednn: bool = False, size: int = 2048, repeats: int = 10, device: torch.device = CPU, dtype: torch.dtype = torch.float32
) -> float:
    """The best rate of a matrix product, by oneDNN or as PyTorch has it, in operations a second."""
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    out = a @ b
    best = float("inf")
    with products(onednn):
        for _ in range(repeats):
            finish(device)
            begun = time.perf_counter()
            torch.mm(a, b, out=out)
            finish(device)
            best = min(best, time.perf_counter() - begun)
    return 2 * size**3 / best


def floor(sizes: Sequence[int], batch: int, rate: float) -> float:
    """Seconds that the matrix products of one network's step take at ``rate``: forward, backward, no gradient for the input."""
    products = sum(fan_in * fan_out for fan_in, fan_out in itertools.pairwise(sizes))
    return (6 * products - 2 * sizes[0] * sizes[1]) * batch / rate


def settle() -> None:
    """Wait until the threads of the library that was measured before have stopped spinning: they would slow the next one down."""
    time.sleep(0.3)


def name() -> str:
    """The processor, as the system calls it, and the threads in use."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return f"{model}, {torch.get_num_threads()} threads, torch {torch.__version__}"
