"""Random streams: each belongs to a seed and a purpose, so trials of one seed share their draws and global state is untouched."""

from __future__ import annotations

import hashlib

import torch
from torch import Generator, Tensor


def generator(seed: int, purpose: str, part: int = 0) -> Generator:
    """A generator that depends on nothing but ``seed``, ``purpose`` and ``part``; draws are made on the CPU, on every device the same."""
    digest = hashlib.sha256(f"{seed} {purpose} {part}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little"))


def in_turn(seed_of: Tensor) -> bool:
    """Whether trials, of the seeds at these places, stand seed by seed, as many of each: what a seed has need be made once then."""
    count = int(seed_of.max()) + 1
    return torch.equal(seed_of, torch.arange(count, device=seed_of.device).repeat_interleave(len(seed_of) // count))
