"""Trainings that are put together wrong, as people write them, and the same put right: each is told by its name, and only when it is so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koubai.doctor import Diagnosis
from koubai.watching import Watch, watch

GENERATOR = torch.Generator().manual_seed(3)
X = torch.randn(256, 6, generator=GENERATOR)
Y = (X @ torch.randn(6, 3, generator=GENERATOR)).argmax(1)  # three classes that a line tells apart


def dense(*last: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3), *last)


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_of: Callable[[Tensor], Tensor] | None = None,
    steps: int = 60,
    clear: int = 1,
    after: Callable[[int], None] = lambda step: None,
) -> Watch:
    """Train on everything at once, with gradients cleared in every ``clear``-th step, or never at 0; ``after`` each step is called."""
    with watch(model, optimizer) as seen:
        for step in range(steps):
            loss = loss_of(model(X)) if loss_of else F.cross_entropy(model(X), Y)
            seen.loss(loss)
            if clear and step % clear == 0:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            after(step)
    return seen


def sgd(model: nn.Module, rate: float = 0.02) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), rate)


def told(seen: Watch, name: str) -> Any:
    diagnosis: Diagnosis = seen.diagnose()
    return next((one for one in diagnosis.findings if one.symptom == name), None)


def test_an_optimizer_made_before_the_head_was_changed_does_not_hold_it() -> None:
    model = dense()
    optimizer = sgd(model)
    model[2] = nn.Linear(16, 3)
    found = told(train(model, optimizer), "idle-layers")
    assert found.layer == "2" and found.cause == "optimizer" and "no optimizer holds" in found.words.en
    assert told(train(model, sgd(model)), "idle-layers") is None


def test_a_layer_that_another_optimizer_moves_or_that_is_frozen_is_not_idle() -> None:
    model = dense()
    first, second = sgd(model[0]), sgd(model[2])
    with watch(model, first) as seen:
        for _ in range(30):
            loss = F.cross_entropy(model(X), Y)
            seen.loss(loss)
            model.zero_grad()
            loss.backward()
            first.step()
            second.step()
    assert not seen.case().seen.idle
    model[0].requires_grad_(False)
    assert not train(model, sgd(model)).case().seen.idle


class Two(nn.Module):
    """Two layers that may be cut apart, and a branch that the loss leaves out."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.pooler, self.head, self.cut = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3), cut

    def forward(self, x: Tensor) -> Tensor:
        h = self.body(x).relu()
        self.pooled = self.pooler(h)
        return self.head(h.detach() if self.cut else h)


def test_a_detached_body_is_told_and_a_branch_that_is_left_out_is_not() -> None:
    model = Two(cut=True)
    idle = train(model, sgd(model)).case().seen.idle
    assert idle["body"] == "unreached" and "head" not in idle
    model = Two(cut=False)
    assert not train(model, sgd(model)).case().seen.idle


def test_a_group_whose_rate_is_0_is_told_by_its_layer() -> None:
    model = dense()
    optimizer = torch.optim.SGD([{"params": model[0].parameters(), "lr": 0.0}, {"params": model[2].parameters()}], 0.02)
    found = told(train(model, optimizer), "idle-layers")
    assert found.layer == "0" and found.cause == "learning rate"


def test_a_loss_that_gives_no_gradient_is_flat() -> None:
    model = dense()
    seen = train(model, sgd(model), lambda answers: F.cross_entropy(answers, Y) + 0 * answers.sum() - F.cross_entropy(answers, Y))
    assert set(seen.case().seen.idle.values()) == {"flat"}


@pytest.mark.parametrize(("clear", "carried"), [(0, True), (1, False), (4, False)])
def test_gradients_that_nobody_clears(clear: int, carried: bool) -> None:
    """Cleared now and then, they are not carried over in every step."""
    model = dense()
    assert (told(train(model, sgd(model, 1e-3), clear=clear), "uncleared-gradients") is not None) == carried


@pytest.mark.parametrize("forgotten", [False, True])
def test_accumulated_gradients_are_cleared_once_a_step(forgotten: bool) -> None:
    model = dense()
    optimizer = sgd(model, 1e-3)
    with watch(model, optimizer) as seen:
        for k in range(80):
            loss = F.cross_entropy(model(X), Y)
            seen.loss(loss)
            (loss / 4).backward()
            if k % 4 == 3:
                optimizer.step()
                if not forgotten:
                    optimizer.zero_grad()
    assert seen.case().seen.uncleared == forgotten


@pytest.mark.parametrize("which", [0, 1])
def test_a_pair_that_fills_each_others_gradients_and_clears_its_own_is_sound(which: int) -> None:
    """The generator's loss goes through the discriminator, whose gradients are cleared only before its own."""
    torch.manual_seed(0)
    pair = nn.Linear(2, 6), nn.Linear(6, 1)
    steps = tuple(sgd(one, 1e-2) for one in pair)
    with watch(pair[which], steps[which]) as seen:
        for _ in range(30):
            for one in (1, 0):
                fake = pair[0](X[:, :2])
                loss = F.softplus(pair[1](fake.detach() if one else fake) * (1 if one else -1)).mean()
                if one == which:
                    seen.loss(loss)
                steps[one].zero_grad()
                loss.backward()
                steps[one].step()
    assert not seen.case().seen.uncleared


@pytest.mark.parametrize(
    ("last", "name"), [(nn.Softmax(1), "softmax"), (nn.Sigmoid(), "sigmoid"), (nn.ReLU(), "relu"), (nn.Identity(), ""), (nn.Tanh(), "")]
)  # fmt: skip
@pytest.mark.parametrize("shares", [False, True])
def test_what_is_squashed_twice(last: nn.Module, name: str, shares: bool) -> None:
    """Also where targets are shares, labels are smoothed and answers are reshaped on the way."""
    model = dense(last)
    seen = train(model, sgd(model, 1e-3), lambda answers: loss_like(answers, shares))
    assert seen.case().seen.squashed == name
    found = told(seen, "mismatched-loss")
    assert (found is not None) == bool(name) and (found is None or f"pass {name} before" in found.words.en)


def loss_like(answers: Tensor, shares: bool) -> Tensor:
    targets = F.one_hot(Y, 3).float()
    if shares:
        return F.cross_entropy(answers.view(64, 4, 3).reshape(-1, 3), targets, label_smoothing=0.1)
    return F.binary_cross_entropy_with_logits(answers, targets)


def test_shares_whose_logarithm_is_taken_are_not_squashed_twice() -> None:
    model = dense(nn.Softmax(1))
    assert train(model, sgd(model), lambda shares: F.nll_loss(shares.log(), Y)).case().seen.squashed == ""


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_answers_stretched_to_targets_of_another_shape() -> None:
    model = dense(nn.Linear(3, 1))
    seen = train(model, sgd(model), lambda answers: F.mse_loss(answers, Y.float()))
    assert seen.case().seen.spread == ((256, 1), (256, 256))
    assert "256 x 1 are compared with targets as 256 x 256" in told(seen, "mismatched-loss").words.en
    model = dense(nn.Linear(3, 1))
    assert told(train(model, sgd(model), lambda answers: F.mse_loss(answers, Y.float()[:, None])), "mismatched-loss") is None


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_targets_far_from_the_size_of_1(scale: float) -> None:
    model, targets = dense(nn.Linear(3, 1)), scale * (1 + X[:, :1])
    seen = train(model, torch.optim.Adam(model.parameters(), 1e-3), lambda answers: F.mse_loss(answers, targets))
    assert seen.case().seen.target == pytest.approx(float((targets.double() ** 2).mean() ** 0.5), rel=1e-5)
    assert (told(seen, "targets-not-standardized") is not None) == (scale > 1)


def test_dropout_and_batch_normalization_are_the_models_own() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.95), nn.Linear(8, 3))
    seen = train(model, sgd(model, 1e-3), lambda answers: F.cross_entropy(answers, Y))
    assert told(seen, "too-strong-regularization").cause == "dropout"
    small = Watch(model, [])
    optimizer = sgd(model, 1e-3)
    with small:
        for k in range(60):
            loss = F.cross_entropy(model(X[2 * k : 2 * k + 2]), Y[2 * k : 2 * k + 2])
            small.loss(loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert told(small, "batch-too-small").layer == "1"


def test_a_loss_with_a_floor_is_no_plateau_where_held_out_samples_are_right_or_it_has_come_down() -> None:
    """Labels that are smoothed keep the loss far from 0, however well the samples are told apart."""
    model = dense()
    seen = train(
        model, torch.optim.Adam(model.parameters(), 0.02), lambda answers: F.cross_entropy(answers, Y, label_smoothing=0.4), 400
    )
    assert seen.case().learned < 0.5 and not seen.diagnose().has("plateau")
    seen.validation(accuracy=0.99)
    assert seen.case().fitted == pytest.approx(0.99) and not seen.diagnose().findings


class Adapted(nn.Module):
    """Layers as they are, each with a narrow branch beside it whose last weights begin at 0 (Hu et al. 2021, LoRA)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = dense().requires_grad_(False)
        self.down = nn.ModuleList([nn.Linear(6, 4), nn.Linear(16, 4)])
        self.up = nn.ModuleList([nn.Linear(4, 16), nn.Linear(4, 3)])
        for up in self.up:
            nn.init.zeros_(up.weight)

    def forward(self, x: Tensor) -> Tensor:
        h = (self.layers[0](x) + self.up[0](self.down[0](x))).relu()
        return self.layers[2](h) + self.up[1](self.down[1](h))


def test_a_branch_that_begins_at_0_and_opens_lets_no_gradient_vanish() -> None:
    model = Adapted()
    seen = train(model, torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2))
    gradient = seen.case().history["gradient"]
    assert 0 in gradient[0] and (gradient[1] > 0).all()  # it did begin so
    assert told(seen, "vanishing-gradient") is None


@pytest.mark.parametrize("batchwise", [False, True])
def test_a_schedule_meant_for_epochs_and_stepped_by_batches_is_told(batchwise: bool) -> None:
    """Halved every 5 times: by 35 steps it is a 128th, where 10 epochs of 20 batches leave a quarter."""
    model = dense()
    optimizer = sgd(model, 1e-3)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.5)

    def after(step: int) -> None:
        if batchwise or step % 20 == 19:
            schedule.step()

    seen = train(model, optimizer, steps=200, after=after)
    faded = seen.case().seen.faded
    assert 35 <= faded < 50 if batchwise else faded == 0
    assert ("The rate had fallen" in told(seen, "learning-rate-too-low").words.en) == batchwise
