"""What training does at random to the images of its minibatches: the trial's augmentations, in their order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from koubai.choices import Choice
from koubai.streams import fill, generator
from koubai.techniques import AUGMENTATIONS


class Augment:
    """One augmentation at work: a random stream for each seed, so trials of one seed see the same images changed alike.

    ``streams`` are those of the seeds, as a layer's are, ``samples`` are in a minibatch. A stream depends on the augmentation's name and
    on how often it stands before: with another beside it, an image is still flipped at the same steps.
    """

    def __init__(self, choice: Choice, seeds: Sequence[int], samples: int, device: torch.device, before: int = 0) -> None:
        self.technique, self.numbers = AUGMENTATIONS[choice.name], choice.numbers
        self.drawn = torch.empty(len(seeds), samples, self.technique.draws, device=device)
        self.streams: dict[int, Generator] = {seed: generator(seed, f"augment {choice.name}", before) for seed in seeds}

    def draw(self) -> None:
        """Take from the streams what the next training step needs."""
        fill(self.drawn, self.streams.values())

    def __call__(self, images: Tensor, seed_of: Tensor) -> Tensor:
        """Images ``[input, sample, channel, height, width]`` changed; ``seed_of`` ``[input]`` is the place of each input's seed."""
        noise = self.drawn.index_select(0, seed_of).flatten(0, 1).to(images.dtype)
        return self.technique(images.flatten(0, 1), noise, **self.numbers).view_as(images)


def augments(choices: Sequence[Choice], seeds: Sequence[int], samples: int, device: torch.device) -> list[Augment]:
    """The augmentations of a trial at work, for trials of these seeds and minibatches of so many samples."""
    names = [choice.name for choice in choices]
    return [Augment(choice, seeds, samples, device, names[:k].count(choice.name)) for k, choice in enumerate(choices)]
