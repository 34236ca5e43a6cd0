"""The order in which samples come: one stream a seed, taken in portions of any size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from koubai.streams import generator


class Minibatches:
    """Endless minibatches, one stream a seed: every sample once an epoch, in an order that the seed decides."""

    def __init__(self, seeds: Sequence[int], samples: int, batch: int) -> None:
        self.samples, self.batch = samples, batch
        self.generators = [generator(seed, "minibatches") for seed in seeds]
        self.left = [torch.empty(0, dtype=torch.int64) for _ in seeds]

    def take(self, steps: int) -> Tensor:
        """The samples of the next ``steps`` minibatches, ``[step, seed, sample]``."""
        need = steps * self.batch
        picks = []
        for k, draw in enumerate(self.generators):
            parts, have = [self.left[k]], len(self.left[k])
            while have < need:
                parts.append(torch.randperm(self.samples, generator=draw))
                have += self.samples
            order = torch.cat(parts)
            picks.append(order[:need].view(steps, self.batch))
            self.left[k] = order[need:]
        return torch.stack(picks, 1)
