"""Which library makes the matrix products of a training: MKL, as PyTorch has it, or oneDNN where its kernels are the faster ones.

On AMD processors MKL makes float32 products with AVX2, whatever they can do; oneDNN makes them with AVX-512, on an EPYC of 2025 (Zen 5) at
twice the pace, for some 15 us more a product. PyTorch has one setting for this, of the whole process, and named for what oneDNN may do on
processors that multiply bfloat16 in hardware: round to it. Whether this one does is looked at before.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from threading import Condition, Lock
from typing import Any

import torch

from koubai.places import places
from koubai.spec import Trial
from koubai.training.cohort import Shape

# Multiplications in a forward product of a stack from which oneDNN gains (in brackets millions of them). One core of an AMD EPYC (Zen 5),
# us a network and step by MKL and by oneDNN: 64-40-20-10 alone (0.1) 92 and 220, 12 of them (1.4) 32 and 34, 24 (2.8) 29.5 and 21.9,
# 60 (7.1) 28.7 and 21.1; 64-100x4-10 alone (0.7) 349 and 430, 2 (1.5) 315 and 298, 12 (9) 281 and 179; 4 of 784-100x4-10 (11) 845 and 578.
LARGE = 1.5e6
SIDE, TRIES = 256, 20  # of the product that the libraries are timed by: so often that each is undisturbed at times, in some 10 ms
GAIN = 1.4  # times as fast that oneDNN must be, which is about 2 or about 1

_library: Any = torch.backends.mkldnn  # as oneDNN was called
_looking, _door, _empty = Lock(), Lock(), Condition()
_inside: list[bool] = []  # for each training at its steps, whether by oneDNN: all alike
_usual: list[str] = []  # the setting as it was found, while it is changed


def by_onednn(trials: Sequence[Trial], shape: Shape, classes: int) -> bool:
    """Whether a stack of ``trials`` trains faster by oneDNN: its products are large, and this processor is such a one."""
    first = trials[0]
    sizes = [place.products for place in places(first, shape, classes) if place.products]  # convolutions are oneDNN's either way
    return first.dtype == "float32" and sum(sizes) * first.batch_size * len(trials) >= LARGE * len(sizes) and faster()


@cache
def faster() -> bool:
    """Whether oneDNN's float32 products are by far the faster ones here, and nothing in them is rounded to bfloat16.

    By the clock, once a process: the vendor alone does not tell, since some processors split AVX-512 in two.
    """
    if (
        not hasattr(_library, "matmul") or torch.backends.cpu.get_cpu_capability() != "AVX512"
    ):  # PyTorch before 2.9 has no setting
        return False
    fine, one = 1 + torch.arange(SIDE**2).view(SIDE, SIDE) * 2.0**-23, torch.eye(SIDE)
    seconds = {False: math.inf, True: math.inf}
    for onednn in (True, False) * TRIES:
        with products(onednn):
            begun = time.perf_counter()
            product = fine @ one
            seconds[onednn] = min(seconds[onednn], time.perf_counter() - begun)
        if not torch.equal(product, fine):
            return False
    return seconds[False] > GAIN * seconds[True]


@contextmanager
def products(onednn: bool) -> Iterator[None]:
    """Inside a ``with``, matrix products by oneDNN or as PyTorch has it. Threads that want the other wait for their turn."""
    with _door, _empty:  # who waits for a turn holds the door, so that no stream of others keeps him out
        _empty.wait_for(lambda: not _inside or _inside[0] == onednn)
        if onednn and not _inside:
            _usual.append(_library.matmul.fp32_precision)
            _library.matmul.fp32_precision = "bf16"
        _inside.append(onednn)
    try:
        yield
    finally:
        with _empty:
            _inside.pop()
            if not _inside:
                if _usual:
                    _library.matmul.fp32_precision = _usual.pop()
                _empty.notify()
