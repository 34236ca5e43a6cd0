"""Random streams: each belongs to a seed and a purpose, so trials of one seed share their draws and global state is untouched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import torch
from torch import Generator, Tensor


def generator(seed: int, purpose: str, part: int = 0) -> Generator:
    """A generator that depends on nothing but ``seed``, ``purpose`` and ``part``; draws are made on the CPU, on every device the same."""
    digest = hashlib.sha256(f"{seed} {purpose} {part}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little"))


def fill(noise: Tensor, streams: Iterable[Generator]) -> None:
    """Draw uniform numbers in [0, 1) for ``noise`` ``[seed, ...]``, each seed's from its stream; a GPU gets them without a wait."""
    drawn = torch.empty(noise.shape, pin_memory=True) if noise.is_cuda else noise
    for part, stream in zip(drawn, streams, strict=True):
        part.uniform_(generator=stream)
    if drawn is not noise:
        noise.copy_(drawn, non_blocking=True)


def in_turn(seed_of: Sequence[int]) -> bool:
    """Whether trials, of the seeds at these places, stand seed by seed, as many of each: what a seed has need be made once then."""
    count = max(seed_of) + 1
    return list(seed_of) == [seed for seed in range(count) for _ in range(len(seed_of) // count)]
