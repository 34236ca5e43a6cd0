"""A stack in training: its networks, the optimizer's memory, the minibatches, and the step that moves them all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from koubai.data import Dataset
from koubai.data.lying import Lying
from koubai.networks import build
from koubai.networks.architectures import stacked
from koubai.networks.layers import Activation, Layer, Mode, Weighted
from koubai.networks.network import Pass
from koubai.spec import Trial
from koubai.streams import in_turn
from koubai.techniques import OPTIMIZERS, PENALTIES, SCHEDULES, Block
from koubai.techniques.clipping import clip_grad_norm
from koubai.techniques.registry import Technique
from koubai.training.augment import Augment, augments
from koubai.training.graphs import graph_on
from koubai.training.minibatches import Minibatches
from koubai.training.program import Program

PIECE = 2**18  # weights that are updated at once: the passes of a rule over them stay in the cache
CHUNK = 256  # samples that are evaluated at once, of images a minibatch


def first_largest(outputs: Tensor) -> Tensor:
    """``outputs.argmax(1, keepdim=True)``, by passes along the samples, which take a third of its time; no class where one is NaN."""
    classes = outputs.shape[1]
    places = torch.arange(classes, 0, -1, dtype=outputs.dtype, device=outputs.device).view(1, -1, 1)
    # as numbers, since a product with booleans takes far longer
    largest = torch.eq(outputs, outputs.amax(1, keepdim=True), out=torch.empty_like(outputs))
    return classes - largest.mul_(places).amax(1, keepdim=True).long()


class Stack:
    """Trials that train together, and where they stand: ``t`` steps done."""

    def __init__(self, trials: Sequence[Trial], data: Dataset, device: torch.device) -> None:
        self.trials, self.data, self.device, self.t = list(trials), data, device, 0
        first = trials[0]
        self.network = build(trials, data.shape, data.outputs, device)
        dtype = self.network.dtype
        self.x = self.laid(data.x_train)
        self.y = self.answers(data.y_train)
        self.seeds = sorted({trial.seed for trial in trials})
        seed_of = [self.seeds.index(trial.seed) for trial in trials]
        # gathered once a seed where that can be
        self.inputs = len(self.seeds) if self.network.shares and in_turn(seed_of) else len(trials)
        self.input_of = torch.tensor(seed_of if self.inputs == len(trials) else range(len(self.seeds)), device=device)
        self.minibatches = Minibatches(self.seeds, len(self.x), first.batch_size)
        self.augments = augments(first.augment, self.seeds, first.batch_size, device)
        self.standard = tuple(torch.from_numpy(part).to(device, dtype) for part in data.transform.standard or ())
        self.buffers = self.network.allocate(first.batch_size, steps=True)
        self.batch = torch.empty(self.inputs * first.batch_size, data.features, dtype=dtype, device=device)
        self.into = self.batch.view(self.inputs, first.batch_size, -1).mT
        self.labels = torch.empty(len(trials), 1, first.batch_size, dtype=self.y.dtype, device=device)
        self.graph = graph_on(device)
        self.optimizer = OPTIMIZERS[first.optimizer.name]
        self.penalty = PENALTIES[first.penalty.name]
        ours = all(technique.function.__module__.startswith("koubai.") for technique in self._techniques())
        # noted where its steps are nothing but operations
        self.program = Program(notes=self.graph is None and not isinstance(self.x, Lying) and ours)
        decaying = [parameter for parameter in self.network.parameters if parameter.decays]
        self.decaying = [p.value for p in decaying], [p.gradient for p in decaying]
        self.penalty_numbers = stacked([trial.penalty.numbers for trial in trials], dtype, device)
        clips = [trial.clip_grad_norm for trial in trials]
        self.clips = torch.tensor(clips, dtype=torch.float64, device=device) if any(clips) else None
        self._make_blocks()
        # a step leaves nothing in its buffers that a later one needs
        self._evaluation = {first.batch_size: self.buffers} if self.buffers.images is dtype else {}

    def _make_blocks(self) -> None:
        """Lay out the optimizer's memory, and decide how many passes over it a step takes.

        Where all trials share their numbers and rates, the flat run of all weights is updated at once; where they differ, each parameter
        is updated with its trials' own ``[trial, 1, 1]``. The formula is the same.
        """
        network, choices = self.network, [trial.optimizer for trial in self.trials]
        self.uniform = len({(trial.optimizer, trial.learning_rate, trial.schedule) for trial in self.trials}) == 1
        self.numbers = {}
        for name in choices[0].numbers:
            values = torch.tensor([choice.numbers[name] for choice in choices], dtype=torch.float64)
            shared = len(values.unique()) == 1
            self.numbers[name] = (values[0] if shared else values.view(-1, 1, 1)).to(self.device)
        self.slots = [torch.zeros_like(network.weights) for _ in self.optimizer.slots]
        for slot, start in zip(self.slots, self.optimizer.slots.values(), strict=True):
            for view in network.views(slot):
                view.copy_(self.numbers[start] if isinstance(start, str) else torch.tensor(start))
        runs = [network.weights, network.gradients, *self.slots, torch.empty_like(network.weights)]
        factors = self.trials[0].layer_rates
        if self.uniform and not factors:
            bounds = [0, network.decaying, network.weights.numel()]
            pieces = range(0, bounds[-1], PIECE) if self.device.type == "cpu" else ()
            starts = sorted({*bounds, *pieces})
            parts = [[run[start:stop] for start, stop in itertools.pairwise(starts)] for run in runs]
            decays = [start < network.decaying for start in starts[:-1]]
        else:
            parts = [network.views(run) for run in runs]
            decays = [parameter.decays for parameter in network.parameters]
        blocks = [
            Block(weight, gradient, tuple(slots), scratch, decay)
            for (weight, gradient, *slots, scratch), decay in zip(zip(*parts, strict=True), decays, strict=True)
        ]
        self.paces: list[tuple[float, list[Block]]] = [(1.0, blocks)]
        if factors:  # a layer's parameters belong to the conv or dense layer that they follow
            weighted = [isinstance(layer, Weighted) for layer in network.layers]
            owner = {id(p): sum(weighted[: k + 1]) - 1 for k, layer in enumerate(network.layers) for p in layer.parameters}
            owners = [owner[id(parameter)] for parameter in network.parameters]
            self.paces = [
                (factor, [block for block, owner in zip(blocks, owners, strict=True) if owner == depth])
                for depth, factor in enumerate(factors)
            ]

    def rates(self, steps: int) -> Tensor:
        """The learning rates of the next ``steps`` steps, float64 ``[step]`` or ``[step, trial, 1, 1]``."""
        t = torch.arange(self.t, self.t + steps, dtype=torch.float64)
        trials = self.trials[:1] if self.uniform else self.trials
        shares: dict[object, Tensor] = {}
        for trial in trials:
            if trial.schedule not in shares:
                choice = trial.schedule
                shares[choice] = SCHEDULES[choice.name](t, trial.steps, **choice.numbers)
        table = torch.stack([trial.learning_rate * shares[trial.schedule] for trial in trials], 1).to(self.device)
        return table.view(steps) if self.uniform else table.view(steps, -1, 1, 1)

    def advance(self, steps: int, last: Callable[[], None] | None = None) -> Tensor:
        """Train ``steps`` steps; the minibatch losses ``[step, trial]``. ``last`` is called before the last of them."""
        picks = self.minibatches.take(steps).to(self.device)
        if self.inputs == len(self.trials):
            picks = picks.index_select(1, self.input_of)
        picks = picks.view(steps, -1)
        answers = self.y[picks].view(steps, self.inputs, 1, -1)
        if isinstance(self.x, Lying):
            picks = picks.cpu()  # at once, since each step would wait for a GPU
        rates = self.rates(steps)
        # numbers that are noted or recorded must lie in tensors, and on the device
        times = torch.arange(self.t + 1, self.t + steps + 1, dtype=torch.float64, device=self.device)
        losses = torch.empty(steps, len(self.trials), dtype=self.network.dtype, device=self.device)
        tables = [picks, answers, losses, times, *(rates * factor for factor, _ in self.paces)]
        early = steps - 1 if last else steps
        self.program(self._one, [table[:early] for table in tables])
        if last:
            last()
            self.program(self._one, [table[early:] for table in tables])
        self.t += steps
        return losses

    def _one(self, picks: Tensor, answers: Tensor, losses: Tensor, t: Tensor, *rates: Tensor) -> None:
        """Bring a minibatch to where the step finds it, draw what it needs, and make it."""
        self._gather(picks)
        self.labels.view(self.inputs, -1, self.buffers.samples).copy_(answers)
        self.network.draw(self.buffers.samples)
        for augment in self.augments:
            augment.draw()
        losses.copy_(self.graph(self._step, t, *rates) if self.graph else self._step(t, *rates))

    def _gather(self, picks: Tensor) -> None:
        """Bring the samples of a minibatch to where the step finds them."""
        if isinstance(self.x, Lying):
            samples = torch.from_numpy(np.asarray(self.x[picks.numpy()]))
            self.batch.copy_(samples.pin_memory() if self.batch.is_cuda else samples, non_blocking=True)
        else:
            torch.index_select(self.x, 0, picks, out=self.batch)

    def _step(self, t: Tensor, *rates: Tensor) -> Tensor:
        """Step ``t``, on the minibatch, the labels and the draws that are there; its losses ``[trial]``.

        A fixed list of kernels: nothing in it depends on a value, and what it finds and leaves stays where it is.
        """
        if self.augments:
            self._augment()
        self.network.forward(self.buffers, self.into, Mode.TRAIN)
        self.network.loss(self.buffers, self.labels)
        self.network.backward(self.buffers, self.labels)
        self.penalty(*self.decaying, **self.penalty_numbers)
        if self.clips is not None:
            clip_grad_norm([parameter.gradient for parameter in self.network.parameters], self.clips)
        for rate, (_, blocks) in zip(rates, self.paces, strict=True):
            self.optimizer(blocks, t, rate, **self.numbers)
        return self.buffers.loss

    def _augment(self) -> None:
        """Change the images of the minibatch at hand at random, as they were before they were standardized."""
        shape = self.data.shape
        rows = self.batch.view(self.inputs, -1, self.batch.shape[1])
        images = rows.view(*rows.shape[:2], *((1,) if len(shape) == 2 else ()), *shape)
        if self.standard:
            mean, scale = self.standard
            rows.mul_(scale).add_(mean)
        for augment in self.augments:
            images.copy_(augment(images, self.input_of))
        if self.standard:
            rows.sub_(mean).div_(scale)

    def buffers_for(self, samples: int) -> Pass:
        """Buffers for so many samples a trial, made once."""
        if samples not in self._evaluation:
            self._evaluation[samples] = self.network.allocate(samples)
        return self._evaluation[samples]

    def laid(self, x: np.ndarray | Lying) -> Tensor | Lying:
        """Samples where training takes them from: on the device, or as they lie."""
        return x if isinstance(x, Lying) else self.tensor(x)

    def tensor(self, x: Tensor | np.ndarray | Lying) -> Tensor:
        """Samples as the networks take them."""
        return (x if isinstance(x, Tensor) else torch.from_numpy(np.asarray(x))).to(self.device, self.network.dtype)

    def answers(self, y: np.ndarray) -> Tensor:
        """Labels or targets as the loss takes them."""
        right = torch.from_numpy(y).to(self.device)
        return right.to(self.network.dtype) if right.is_floating_point() else right

    def evaluate(self, x: Tensor | Lying, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean loss and accuracy ``[trial]`` of every trial on samples ``x`` ``[sample, feature]`` with labels ``y``.

        In the place of the accuracy stands for targets ``R^2``, the share of their variance that is explained: ``1 - loss / variance``.
        """
        size = min(CHUNK if self.network.image is None else self.trials[0].batch_size, CHUNK, len(x))
        buffers = self.buffers_for(size)
        loss = torch.zeros(len(self.trials), dtype=torch.float64, device=self.device)
        right = torch.zeros_like(loss)
        for start in range(0, len(x), size):
            first = min(start, len(x) - size)  # the last chunk reaches back, and its old samples are not counted again
            new = slice(start - first, size)
            labels = y[first : first + size].expand(len(self.trials), 1, -1)
            outputs = self.network.forward(buffers, self.network.common(self.tensor(x[first : first + size])), Mode.EVALUATE)
            self.network.loss(buffers, labels)
            loss += buffers.each[..., new].sum((1, 2))
            if not y.is_floating_point():
                right += (first_largest(outputs) == labels)[..., new].sum((1, 2))
        if y.is_floating_point():
            return loss / len(x), 1 - loss / len(x) / y.double().var(correction=0)
        return loss / len(x), right / len(x)

    def subset(self, rows: Sequence[int]) -> Stack:
        """The stack of some of the trials, as they stand."""
        rest = Stack([self.trials[row] for row in rows], self.data, self.device)
        self.copied(rest, rows)
        return rest

    def copied(self, rest: Stack, rows: Sequence[int]) -> None:
        """Put some of the trials, as they stand, into the stack of just those."""
        rest.t = self.t
        for run, part in zip([self.network.weights, *self.slots], [rest.network.weights, *rest.slots], strict=True):
            for old, new in zip(self.network.views(run), rest.network.views(part), strict=True):
                new.copy_(old[list(rows)])
        for mine, theirs in zip(self.network.layers, rest.network.layers, strict=True):
            for name, old in mine.state.items():
                theirs.state[name].copy_(old[list(rows)])
        for drew, draws in zip(self._drawing(), rest._drawing(), strict=True):
            draws.streams = {seed: drew.streams[seed] for seed in draws.streams}
        kept = [self.seeds.index(seed) for seed in rest.seeds]
        rest.minibatches.generators = [self.minibatches.generators[k] for k in kept]
        rest.minibatches.left = [self.minibatches.left[k] for k in kept]

    def _techniques(self) -> list[Technique]:
        """The techniques at work in a step."""
        parts = [part for part in self._drawing() if isinstance(part, Activation | Augment)]
        return [self.optimizer, self.penalty, *(part.technique for part in parts)]

    def _drawing(self) -> list[Layer | Augment]:
        """All that has random streams, beside the minibatches."""
        return [*self.network.layers, *self.augments]

    def state(self) -> dict[str, Tensor]:
        """All that changes while it trains, but for ``t``: weights, the optimizer's memory, running statistics, random streams."""
        found = {"weights": self.network.weights}
        found |= {f"slots/{k}": slot for k, slot in enumerate(self.slots)}
        for k, layer in enumerate(self.network.layers):
            found |= {f"layers/{k}/{name}": tensor for name, tensor in layer.state.items()}
        for k, part in enumerate(self._drawing()):
            found |= {f"streams/{k}/{seed}": stream.get_state() for seed, stream in part.streams.items()}
        for seed, draw, left in zip(self.seeds, self.minibatches.generators, self.minibatches.left, strict=True):
            found |= {f"minibatches/{seed}": draw.get_state(), f"left/{seed}": left}
        return found

    def load(self, state: Mapping[str, Tensor], t: int) -> None:
        """Go back to where ``state()`` was taken, ``t`` steps in. Raises ``LookupError`` or ``RuntimeError`` for another stack's."""
        self.t = t
        self.network.weights.copy_(state["weights"])
        for k, slot in enumerate(self.slots):
            slot.copy_(state[f"slots/{k}"])
        for k, layer in enumerate(self.network.layers):
            for name, tensor in layer.state.items():
                tensor.copy_(state[f"layers/{k}/{name}"])
        for k, part in enumerate(self._drawing()):
            for seed, stream in part.streams.items():
                stream.set_state(state[f"streams/{k}/{seed}"])
        for k, seed in enumerate(self.seeds):
            self.minibatches.generators[k].set_state(state[f"minibatches/{seed}"])
            self.minibatches.left[k] = state[f"left/{seed}"]
