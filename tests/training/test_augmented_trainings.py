"""Augmentation in training: only there, by the trial's seed, before standardizing, and the same wherever a trial is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from koubai.data import Dataset, load
from koubai.laboratory import check
from koubai.language import UserError
from koubai.spec import Trial
from koubai.study import Study
from koubai.techniques import AUGMENTATIONS
from koubai.training import plan, train
from koubai.training.stack import Stack

ALL = ["flip", {"name": "shift", "reach": 0.25}, "crop"]


def augmented(**fields: Any) -> Trial:
    return Trial(**{"layers": [8], "batch_size": 50, "steps": 90, "augment": ALL, "learning_rate": 0.05, **fields})


def batch(stack: Stack) -> torch.Tensor:
    """The minibatch of the stack's first step, ``[input, sample, height, width]``."""
    with torch.no_grad():
        stack.advance(1)
    return stack.batch.view(stack.inputs, -1, 8, 8)


def test_a_minibatch_is_changed_as_the_techniques_say(digits: Dataset, cpu: torch.device, untouched: None) -> None:
    plain = Stack([augmented(augment=[])], digits, cpu)
    changed = Stack([augmented()], digits, cpu)
    want = batch(plain)[0][:, None]
    for augment in Stack([augmented()], digits, cpu).augments:
        drawn = torch.rand(50, augment.technique.draws, generator=augment.streams[0])
        want = augment.technique(want, drawn, **augment.numbers)
    torch.testing.assert_close(batch(changed)[0], want[:, 0])
    assert torch.equal(changed.x, plain.x), "the samples themselves stay as they are, for evaluation and the probe"


def test_what_is_standardized_is_changed_before(cpu: torch.device) -> None:
    """A shift of standardized digits is a shift of the digits, standardized: black comes in, not the mean."""
    plain, standard = (load(Trial(data={"name": "digits", "standardize": on}).data) for on in (False, True))
    first = batch(Stack([augmented(dtype="float64")], plain, cpu)).reshape(50, 64)
    second = batch(Stack([augmented(data=standard.spec, dtype="float64")], standard, cpu)).reshape(50, 64)
    mean, scale = standard.transform.standard
    np.testing.assert_allclose(second.numpy(), (first.numpy() - mean) / scale, atol=1e-5)


def test_trials_of_a_seed_see_the_same_images(digits: Dataset, cpu: torch.device) -> None:
    """Whether gathered once a seed or once a trial; and with another augmentation behind, an image is flipped at the same steps."""
    seeds = [4, 1, 4]
    apart = batch(Stack([augmented(seed=seed, learning_rate=0.1 * k + 0.1) for k, seed in enumerate(seeds)], digits, cpu))
    assert torch.equal(apart[0], apart[2]) and not torch.equal(apart[0], apart[1])
    shared = batch(Stack([augmented(seed=seed, learning_rate=rate) for seed in (1, 4) for rate in (0.1, 0.2)], digits, cpu))
    assert len(shared) == 2 and torch.equal(shared[1], apart[0]) and torch.equal(shared[0], apart[1])
    streams = [
        Stack([augmented(augment=names)], digits, cpu).augments[0].streams[0].get_state() for names in ("flip", ["flip", "crop"])
    ]
    assert torch.equal(*streams)
    twice = Stack([augmented(augment=["shift", "shift"])], digits, cpu).augments
    assert not torch.equal(twice[0].streams[0].get_state(), twice[1].streams[0].get_state())


def test_alone_in_a_stack_and_after_others_left_it_is_the_same_training(digits: Dataset, cpu: torch.device) -> None:
    good = [augmented(seed=seed, dtype="float64") for seed in (2, 5)]
    bad = augmented(seed=3, dtype="float64", learning_rate=1e300)
    mixed, alone = train([good[0], bad, good[1]], digits, cpu), train(good[1:], digits, cpu)
    assert [step > 0 for step in mixed.diverged] == [False, True, False]
    for name, weight in alone.weights.items():
        np.testing.assert_allclose(mixed.weights[name][2], weight[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(mixed.history["validation_loss"][2], alone.history["validation_loss"][0], rtol=1e-9)


def test_portions_do_not_matter(digits: Dataset, cpu: torch.device) -> None:
    whole, parts = (Stack([augmented(layers=["conv 3 3x3", "maxpool 2"])], digits, cpu) for _ in range(2))
    with torch.no_grad():
        losses = whole.advance(7)
        assert torch.equal(losses, torch.cat([parts.advance(count) for count in (1, 4, 2)]))
    assert torch.equal(whole.network.weights, parts.network.weights)


def test_trials_with_other_augmentations_train_apart() -> None:
    study = Study(
        augmented(), axes={"augment": ["none", "flip", ["flip", "shift"], [{"name": "shift", "reach": 0.2}]], "seed": 2}
    )
    assert len(plan(study.trials, lambda trial: (64, 10))) == 4
    assert list(study.variants()) == ["augment=none", "augment=flip", "augment=flip+shift", "augment=shift(reach=0.2)"]
    assert Study.from_toml(study.to_toml()).id == study.id


def test_written_in_short_and_hashed_only_where_asked_for() -> None:
    assert Trial(augment="none") == Trial(augment=[]) == Trial() and Trial(augment="none").id == Trial().id
    assert "augment" not in Trial().model_dump_json()
    trial = Trial(augment="flip")
    assert trial == Trial(augment=["flip"]) == Trial(augment=[{"name": "flip", "chance": 0.5}]) != Trial()
    assert trial.compact()["augment"] == ("flip",) and Trial(**trial.compact()) == trial
    for wrong, words in (
        ({"augment": "flop"}, "did you mean 'flip'"),
        ({"augment": [{"name": "flip", "chance": 2}]}, r"\[0, 1\]"),
    ):
        with pytest.raises(UserError, match=words):
            Trial(**wrong)
    with pytest.raises(UserError, match="'augment' has no parts"):
        Trial().replace({"augment.chance": 1})


def test_rows_of_numbers_are_no_images() -> None:
    check(augmented(data="digits"))
    with pytest.raises(UserError, match="augment changes images, and a sample of moons is 2 numbers"):
        check(augmented(data="moons"))
    assert set(AUGMENTATIONS) == {"flip", "shift", "crop"}


def test_the_example_is_a_study_of_four_augmentations() -> None:
    study = Study.from_toml((Path(__file__).parents[2] / "examples" / "augmentation.toml").read_text(encoding="utf-8"))
    assert len(study) == 40 and {choice.name for trial in study for choice in trial.augment} == set(AUGMENTATIONS)
