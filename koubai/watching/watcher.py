"""``watch(model, optimizer)``: any PyTorch model, watched while the user's own loop trains it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from koubai.doctor.origin import Origin
from koubai.language import UserError, Words, counted, say
from koubai.watching.graph import recordable
from koubai.watching.history import History
from koubai.watching.layers import held, kind, layers, matrices
from koubai.watching.look import Look, size
from koubai.watching.origin import Pass, origin
from koubai.watching.wiring import Wiring

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from koubai.doctor import Case, Diagnosis

GROWTH = 1.25  # from one step that is looked at to the next, once they are far enough apart
DRAWN_GROWTH = GROWTH**4  # from one look with histograms, which take as long as the rest of an activation, to the next
FAR_GROWN = 10.0  # times its first size: loss or weights that have grown so much before they are lost were driven there
PATIENCE = 20  # steps of some optimizers, after which the others are not waited for
SELDOM = 10  # on a device that has to be waited for, how many steps pass between two looks for NaN


def watch(model: nn.Module, optimizer: Optimizer | Sequence[Optimizer] | None = None) -> Watch:
    """Watch the training that happens inside a ``with``: ``with koubai.watch(model, optimizer) as watch: ...``.

    ``optimizer`` may be several, or be left out where a trainer makes it: then every optimizer that moves this model's weights counts.
    A step is done when all that were named have stepped. Raises ``UserError`` for what is no model or no optimizer, for a model without
    weights, and for an optimizer that does not move them.
    """
    given = optimizer if isinstance(optimizer, Sequence) else [] if optimizer is None else [optimizer]
    optimizers = [_unwrapped(one) for one in given]
    wrong = [one for one in optimizers if not isinstance(one, Optimizer)]
    if wrong or not isinstance(model, nn.Module):
        odd = type(wrong[0] if isinstance(model, nn.Module) else model).__name__
        raise UserError(
            f"koubai.watch takes a torch.nn.Module, then its torch.optim.Optimizer or a list of them, not {odd}.",
            f"koubai.watch には torch.nn.Module と、その torch.optim.Optimizer(またはそのリスト)を順に渡してください: {odd}",
        )
    return Watch(model, optimizers)


class Watch:
    """One training under watch: at few steps, ever farther apart, every layer is looked at; in between nothing is."""

    def __init__(self, model: nn.Module, optimizers: Sequence[Optimizer]) -> None:
        self.model: nn.Module = getattr(model, "_orig_mod", model)  # what torch.compile was given
        called = self.model._compiled_call_impl  # another watch's or torch.compile's
        self._compiled = self.model is not model or not (called is None or isinstance(getattr(called, "__self__", None), Watch))
        self.optimizers = list(optimizers)
        self.t = 0  # steps done
        self.origin: Origin | None = None
        self._samples: int | None = None  # of a minibatch
        self._inputs: np.ndarray | None = None  # the root mean squares of its features
        self._overheard = True  # the loss is what the model hands out, until somebody tells it
        self._wiring = Wiring()
        self._sane: Tensor | float = 0.0  # the last loss that was a number
        self.history = History()
        self._mine = {id(p) for p in self.model.parameters()}
        self._known: dict[int, tuple[Optimizer, bool]] = {}  # the optimizers that have stepped, and whether they count
        self._probes: dict[int, nn.Parameter] = {}  # of those that count, the weight whose gradient is looked at in every step
        self._lead: Optimizer | None = None  # the first that stepped
        self._stepped: list[int] = []  # since the last step of all
        self._resting: set[int] = set()  # those that nobody waits for
        self._next = self._drawn = 0
        self._look: Look | None = None
        self._handles: list[Any] | None = None
        self._pass: Pass | None = None  # the last that may still lose its numbers
        if not self._mine:
            raise UserError(
                f"The model {type(model).__name__} has no parameters, so there is nothing to watch; pass the model that is trained.",
                f"モデル {type(model).__name__} にはパラメータがないため、見守るものがありません。学習するモデルを渡してください。",
            )
        for one in self.optimizers:
            if not self._moves(one):
                raise UserError(
                    f"The optimizer {type(one).__name__} holds none of the model's parameters; make it with model.parameters().",
                    f"{type(one).__name__} はこのモデルのパラメータを持っていません。model.parameters() から作ってください。",
                )

    def __enter__(self) -> Self:
        """Begin. Raises ``UserError`` the second time, and for a model whose weights are not there yet."""
        if self._handles is not None:
            raise UserError(
                "This watch has been used already; make a new one with koubai.watch for each training.",
                "この watch はすでに使われています。学習ごとに koubai.watch で新しく作ってください。",
            )
        self._device = next(self.model.parameters()).device.type
        if self._device == "meta":
            raise UserError(
                "The model is on PyTorch's meta device, where weights have no values; move it to another device before it is watched.",
                "モデルは PyTorch の meta デバイスにあり、重みに値がありません。別のデバイスに移してから渡してください。",
            )
        self._handles = [register_optimizer_step_pre_hook(self._before), register_optimizer_step_post_hook(self._after)]
        if not self._compiled:
            # The place of torch.compile's answer: calling through it takes no time to speak of, where a hook sends PyTorch a longer way
            # in every step, and copies and files of the model do without it.
            self._call = self.model._compiled_call_impl or self.model._call_impl
            self.model._compiled_call_impl = self._called
        self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End: every hook is taken away, whatever happened."""
        self._close()
        self._pass = None
        if self.model._compiled_call_impl == self._called:
            self.model._compiled_call_impl = self._call
            if self._call == self.model._call_impl:
                del self.model._compiled_call_impl
        for handle in self._handles or ():
            handle.remove()

    def __repr__(self) -> str:
        """What is watched, and how far it came, in the language in force."""
        name, looks = type(self.model).__name__, len(self.history.steps)
        return say(
            Words(
                f"Watch of {name}: {counted(self.t, 'step')}, looked at {counted(looks, 'time')}.",
                f"{name} の watch: {self.t:,} ステップ、うち {looks} 回を記録。",
            )
        )

    def loss(self, value: Tensor | float, accuracy: Tensor | float | None = None) -> None:
        """Tell the loss of a minibatch, before ``backward``, and if you like the share that was answered right.

        From the tensor itself the watch also learns by what AMP's ``GradScaler`` or an accumulation of gradients multiplies it; the
        gradients recorded are those of the mean of the losses that are told between two steps. Where nobody tells one and the model
        hands its loss out, as those of transformers do, that is taken.
        """
        if self._overheard:
            self._overheard = False
            self.history.forget()
            if self._look:
                self._look.forget()
        self._tell(value, accuracy)

    def _tell(self, value: Tensor | float, accuracy: Tensor | float | None = None) -> None:
        if self._look and isinstance(value, Tensor):
            self._look.loss(value)
            self._wiring.told(value)
        number = _number(value)
        self.history.tell("loss", number)
        if accuracy is not None:
            self.history.tell("accuracy", _number(accuracy))
        if self._checks():
            if math.isfinite(number):
                self._sane = number
            else:
                self._lost()

    def validation(self, loss: Tensor | float | None = None, accuracy: Tensor | float | None = None) -> None:
        """Tell what came of validation samples, whenever you look at them."""
        told = [None if value is None else _number(value) for value in (loss, accuracy)]
        self.history.validated.append((self.t, told[0], told[1]))

    def case(self) -> Case:
        """What the doctor looks at; see ``doctor.Case``. Raises ``UserError`` where nothing has been trained."""
        if not self.history.steps or not self._lead:
            raise UserError(
                "Nothing has been trained under this watch yet: train inside the with block, calling the optimizer's step, "
                "before asking for results.",
                "この watch ではまだ何も学習されていません。with の中でオプティマイザの step を呼んで学習してから、結果を求めてください。",
            )
        return replace(
            self.history.case(self.t, self.origin),
            batch_size=self._samples,
            inputs=self._inputs,
            learning_rate=float(self._lead.param_groups[0]["lr"]),
            seen=self._wiring.seen(
                self.model, self.history, {*held(*self.optimizers, *(one for one, _ in self._known.values()))}
            ),
        )

    def diagnose(self) -> Diagnosis:
        """What is wrong with the training so far, in which layer, and why. Raises ``UserError`` where nothing has been trained."""
        from koubai.doctor import diagnose

        return diagnose(self.case())

    def figure(self, name: str) -> Figure:
        """One of the laboratory's figures over this training, as plotly. Raises ``UserError`` where it cannot show it."""
        from koubai.report.figures import draw
        from koubai.watching.page import groups

        return draw(name, groups(type(self.model).__name__, self.case(), name))

    def report(self, path: str | Path = "watch.html") -> Path:
        """Write one self-contained HTML file, in both languages, and give its path. Raises ``UserError`` where it cannot."""
        from koubai.report.page import write
        from koubai.watching.page import page

        return write(path, page(type(self.model).__name__, self.case(), self.diagnose()))

    def to_tensorboard(self, folder: str | Path) -> Path:
        """Write the ledger for TensorBoard, and give the folder. Raises ``UserError`` where TensorBoard is not installed."""
        from koubai.watching.tensorboard import write

        return write(self.case(), Path(folder))

    def _open(self) -> None:
        histograms = self.t >= self._drawn
        if histograms:
            self._drawn = max(self.t + 1, math.ceil(self.t * DRAWN_GROWTH))
        self._look = Look(
            self.model, {module: (name, kind(module)) for name, module in layers(self.model)}, histograms, self._compiled
        )
        if self.t and not self._compiled:  # what was left before the first step is no step's
            self._wiring.open(held(*(one for one, ours in self._known.values() if ours)))

    def _close(self) -> None:
        self._wiring.close()
        if self._look:
            self._look.close()
            self._look = None

    def _ours(self, optimizer: Optimizer) -> bool:
        """Whether an optimizer that steps is one of this training's."""
        known = self._known.get(id(optimizer))
        if known is None or known[0] is not optimizer:
            ours = any(optimizer is one for one in self.optimizers) if self.optimizers else self._moves(optimizer)
            known = self._known[id(optimizer)] = optimizer, ours
        return known[1]

    def _moves(self, optimizer: Optimizer) -> bool:
        """Whether an optimizer moves weights of this model."""
        return any(id(p) in self._mine for p in held(optimizer))

    def _checks(self) -> bool:
        return self.origin is None and (self._device == "cpu" or self._look is not None or self.t % SELDOM == 0)

    def _called(self, *args: Any, **kwargs: Any) -> Any:
        """The model is called: remember with what, in case that no number comes of it, and take a loss it hands out unless one is told."""
        if not recordable():
            return self._call(*args, **kwargs)
        self._pass = Pass(args, kwargs, torch.is_autocast_enabled(self._device), self._device)
        output = self._call(*args, **kwargs)
        if self._overheard:
            loss = getattr(output, "loss", None)
            if isinstance(loss, Tensor) and loss.grad_fn is not None and loss.numel() == 1:
                self._tell(loss)
        return output

    def _before(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if optimizer is not self._lead and not self._ours(optimizer):
            return
        inside = bool(kwargs.get("closure") or args[1:])  # forward and backward are still to come, inside the step
        if self._look:
            self._look.before_step(optimizer, read=not inside)
        if not inside and self._checks() and "grad_scale" not in vars(optimizer) and not self._sound(optimizer):
            self._lost()

    def _after(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if optimizer is not self._lead and not self._ours(optimizer):
            return
        if self._look:
            if kwargs.get("closure") or args[1:]:
                self._look.read(optimizer)
            self._look.after_step()
        self._lead = self._lead or optimizer
        if not self._whole(optimizer):
            return
        if self._look:
            self.history.add(self.t, self._look)
            self._wiring.stepped(self.t, float(self._lead.param_groups[0]["lr"]))
            self._close()
            if self._pass and self._samples is None:
                self._samples, self._inputs = self._pass.minibatch()
            self._next = max(self.t + 1, math.ceil(self.t * GROWTH))
        self._pass = None
        self.t += 1
        if self.t == self._next and self.origin is None:
            self._open()

    def _whole(self, optimizer: Optimizer) -> bool:
        """Whether a step of the training is done: all optimizers that were named have stepped, or the first of those that were not."""
        if len(self.optimizers) < 2:
            return optimizer is self._lead
        self._stepped.append(id(optimizer))
        self._resting.discard(id(optimizer))
        waited = {id(one) for one in self.optimizers} - self._resting - set(self._stepped)
        if waited and len(self._stepped) < PATIENCE:
            return False
        self._resting |= waited
        self._stepped = []
        return True

    def _sound(self, optimizer: Optimizer) -> bool:
        """Whether the gradients are numbers, by the one that is told quickest: what is wrong above comes down to every layer below."""
        probe = self._probes.get(id(optimizer))
        if probe is None or probe.grad is None:
            first = [p for p in held(optimizer) if p.grad is not None][:2]
            if not first:
                return True
            probe = self._probes[id(optimizer)] = min(first, key=Tensor.numel)
        gradient = probe.grad
        return gradient is None or math.isfinite(gradient.sum().item()) or bool(gradient.isfinite().all())

    def _lost(self) -> None:
        """The training has lost its numbers in this step: find out where."""
        order = self.history.order or list(self._look.kinds if self._look else ())
        self.origin = origin(self.model, self._pass, self.t + 1, order, self._grown())

    def _grown(self) -> bool:
        """Whether the loss or the weights are far larger than they were."""
        numbers, losses = self.history.numbers, self.history.losses
        if losses and abs(float(self._sane)) > FAR_GROWN * abs(losses[0].get("loss", math.inf)):
            return True
        before = math.hypot(*numbers[0].get("weight", {}).values()) if numbers else 0.0
        now = math.hypot(*(float(size(p)) for _, module in layers(self.model) for p in matrices(module)))
        return bool(before) and now > FAR_GROWN * before


def _unwrapped(optimizer: Any) -> Optimizer:
    """The optimizer itself, where Lightning or Accelerate have wrapped it."""
    while isinstance(getattr(optimizer, "optimizer", None), Optimizer):
        optimizer = optimizer.optimizer
    return optimizer


def _number(value: Tensor | float) -> Tensor | float:
    """A number that nothing has to wait for: what lies on another device stays there."""
    if not isinstance(value, Tensor):
        return float(value)
    return value.item() if value.is_cpu else value.detach()
