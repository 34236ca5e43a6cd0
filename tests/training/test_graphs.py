"""A training step as a GPU would record and replay it, without a GPU; and with one, where there is one."""

from __future__ import annotations

import gc
import inspect
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from koubai.data import Dataset, load
from koubai.data.lying import Lying
from koubai.data.transform import Transform
from koubai.spec import Trial
from koubai.techniques import ACTIVATIONS, AUGMENTATIONS, OPTIMIZERS, PENALTIES
from koubai.techniques.activations import Activation
from koubai.techniques.registry import Words
from koubai.training import Outcome, Training, graphs
from koubai.training.graphs import WARM, Graph
from koubai.training.ledger import snapshot, weights_of
from koubai.training.stack import Stack
from tests.training.recording import META, LikeCapture, LikeCUDAGraph, LikeStream, NothingBrought, OnOneDevice

IMAGES = ["conv 4 3x3 pad 1", "maxpool 2", "dropout 0.2", "conv 3 3x3", "batchnorm", "avgpool 2", "lrn", "flatten", 6]
DENSE: dict[str, dict[str, Any]] = {
    **{f"optimizer {name}": {"optimizer": name} for name in OPTIMIZERS},
    **{f"activation {name}": {"activation": name} for name in ACTIVATIONS},
    **{f"penalty {name}": {"penalty": name} for name in PENALTIES},
    **{f"augmentation {name}": {"augment": name} for name in AUGMENTATIONS},
    "batch norm before": {"batch_norm": "before"},
    "batch norm after, dropout": {"batch_norm": "after", "dropout": 0.3},
    "clipping": {"clip_grad_norm": 0.5},
    "rates by layer, adamw": {"layer_rates": [0.5, 1.0, 2.0], "optimizer": "adamw"},
    "schedule": {"schedule": "cosine", "optimizer": "adam"},
    "an activation that came without a backward": {"activation": "swish"},
    "images": {"layers": IMAGES},
    "images, augmented, clipped": {"layers": IMAGES, "augment": list(AUGMENTATIONS), "clip_grad_norm": 0.5, "penalty": "l2"},
}
APART: dict[str, Callable[[int], dict[str, Any]]] = {  # what trials of one stack differ in
    "alike": lambda k: {"seed": k},
    "of shared seeds": lambda k: {"seed": k // 2, "initializer": ("he", "xavier")[k % 2]},
    "of their own numbers": lambda k: {"seed": k % 2, "learning_rate": 0.01 * (k + 1)},
}


def trials(count: int = 4, apart: str = "alike", **fields: Any) -> list[Trial]:
    base = {"layers": [6, 5], "batch_size": 10, "steps": 40, "learning_rate": 0.01, "dtype": "float64", **fields}
    return [Trial(**{**base, **APART[apart](k)}) for k in range(count)]


def of(stack: Sequence[Trial]) -> Dataset:
    return load(stack[0].data)


@pytest.fixture(autouse=True)
def swish(monkeypatch: pytest.MonkeyPatch) -> None:
    """An activation as a user writes it: trained through autograd."""
    words = Words("x sigmoid(x)", "x sigmoid(x)")
    monkeypatch.setitem(ACTIVATIONS, "swish", Activation(lambda x: x * torch.sigmoid(x), "swish", words, "", ""))


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> OnOneDevice:
    """Steps on tensors without values, each looked at."""
    look = OnOneDevice()

    def aside(function: Callable[..., Tensor], inputs: Sequence[Tensor]) -> Tensor:
        with NothingBrought(), look:
            return function(*inputs)

    monkeypatch.setattr(graphs, "aside", aside)
    monkeypatch.setattr("koubai.training.stack.graph_on", lambda device: Graph())
    for module in ("networks.layers", "training.augment"):  # draws are made on the processor
        monkeypatch.setattr(f"koubai.{module}.fill", lambda noise, streams: None)
    return look


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("apart", APART)
@pytest.mark.parametrize("name", DENSE)
def test_a_step_waits_for_nothing_and_takes_nothing_from_the_processor(
    name: str, apart: str, dtype: str, strict: OnOneDevice
) -> None:
    stack = trials(apart=apart, **{**DENSE[name], "dtype": dtype})
    with torch.no_grad():
        losses = Stack(stack, of(stack), META).advance(2)
    assert losses.shape == (2, 4) and strict.kernels > 20


@pytest.mark.parametrize("name", DENSE)
def test_evaluation_and_ledger_mix_no_devices(name: str, strict: OnOneDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may wait for values, which come to the processor at their end."""
    made = trials(apart="of their own numbers", **{**DENSE[name], "dtype": "float32"})
    stack = Stack(made, of(made), META)
    monkeypatch.setattr(Tensor, "cpu", lambda x: torch.zeros(x.shape, dtype=x.dtype))
    with torch.no_grad():
        before = [weight.clone() for weight in weights_of(stack)]
        stack.advance(1)
        loss, accuracy = stack.evaluate(stack.x[:25], stack.y[:25])
        found = snapshot(stack, stack.x[:10], stack.y[:10], before, False)
    assert loss.device == accuracy.device == META
    assert found["gradient"].shape == (4, len(stack.network.layers))


@pytest.mark.parametrize("name", ["regression", "bfloat16", "bfloat16 images", "rows of three channels"])
def test_nor_does_it_with_other_data_and_types(name: str, strict: OnOneDevice) -> None:
    fields = {
        "regression": {"data": "diabetes"},
        "bfloat16": {"dtype": "bfloat16"},
        "bfloat16 images": {"dtype": "bfloat16", "layers": IMAGES},
        "rows of three channels": {"data": "moons"},
    }[name]
    stack = trials(apart="of shared seeds", **fields)
    with torch.no_grad():
        Stack(stack, of(stack), META).advance(2)
    assert strict.kernels > 20


@pytest.mark.parametrize("fault", ["waits", "copies", "mixes", "searches"])
def test_the_strict_look_sees_each_fault(fault: str, strict: OnOneDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    faults: dict[str, Callable[[Tensor], Any]] = {
        "waits": lambda x: x * float(x.amax()),
        "copies": lambda x: x * torch.as_tensor(0.5, device=x.device),
        "mixes": lambda x: x * torch.ones(()),
        "searches": lambda x: x[x > 0],
    }
    monkeypatch.setitem(ACTIVATIONS, "relu", Activation(faults[fault], "relu", Words("", ""), "", ""))
    stack = trials(activation="relu")
    with torch.no_grad(), pytest.raises((AssertionError, RuntimeError)):
        Stack(stack, of(stack), META).advance(1)


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Steps are recorded after the first few and replayed from then on, by the processor."""
    for name, like in {
        "CUDAGraph": LikeCUDAGraph,
        "graph": LikeCapture,
        "Stream": LikeStream,
        "current_stream": LikeStream,
    }.items():
        monkeypatch.setattr(torch.cuda, name, like)
    monkeypatch.setattr(torch.cuda, "stream", nullcontext)
    monkeypatch.setattr(Tensor, "record_stream", lambda tensor, stream: None)
    monkeypatch.setattr("koubai.training.stack.graph_on", lambda device: Graph())
    graphs.side.cache_clear()
    yield
    graphs.side.cache_clear()


def not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "WARM", 10**9)


@pytest.mark.parametrize("apart", APART)
@pytest.mark.parametrize("name", DENSE)
def test_what_is_replayed_is_what_was_recorded(
    name: str, apart: str, replayed: None, cpu: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over two segments with an evaluation and the ledger's look between them: the same losses and weights, bit for bit."""
    made = trials(apart=apart, **DENSE[name])

    def trained() -> tuple[Tensor, Tensor]:
        stack = Stack(made, of(made), cpu)
        with torch.no_grad():
            losses = [stack.advance(WARM + 4)]
            stack.evaluate(stack.x[:25], stack.y[:25])
            snapshot(stack, stack.x[:10], stack.y[:10], None, True)
            losses.append(stack.advance(5))
        assert stack.graph is not None and (stack.graph.replay is None) == (graphs.WARM > WARM)
        return torch.cat(losses), stack.network.weights

    replay = trained()
    not_recorded(monkeypatch)
    for mine, other in zip(replay, trained(), strict=True):
        assert torch.equal(mine, other)
    monkeypatch.setattr("koubai.training.stack.graph_on", lambda device: None)
    for mine, other in zip(replay, trained_plainly(made, cpu), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-15)


def test_samples_that_stay_in_a_file_are_brought_before_each_step(
    replayed: None, cpu: torch.device, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = digits.x_train
    lying = replace(digits, x_train=Lying(x, np.arange(len(x)), Transform().apply))
    made = trials(apart="of shared seeds", dtype="float32", augment="shift")
    weights = []
    for data in (digits, lying):
        stack = Stack(made, data, cpu)
        with torch.no_grad():
            stack.advance(WARM + 4)
        weights.append(stack.network.weights)
    assert torch.equal(*weights)


def trained_plainly(made: Sequence[Trial], cpu: torch.device) -> tuple[Tensor, Tensor]:
    stack = Stack(made, of(made), cpu)
    with torch.no_grad():
        return stack.advance(WARM + 9), stack.network.weights


@pytest.mark.parametrize("name", DENSE)
def test_memory_that_is_recorded_outlives_the_recording(name: str, replayed: None, cpu: torch.device) -> None:
    """What a step found stays while others are evaluated and looked at: a replay writes to where it lay."""
    made = trials(apart="of their own numbers", **DENSE[name])
    stack = Stack(made, of(made), cpu)
    with torch.no_grad():
        stack.advance(WARM + 1)
        assert stack.graph is not None
        recording = stack.graph.replay.__self__.recording  # type: ignore[union-attr]
        recording.kernels.clear()  # which hold their memory themselves
        for samples in (25, 7, 10):
            stack.evaluate(stack.x[:samples], stack.y[:samples])
            snapshot(stack, stack.x[:samples], stack.y[:samples], None, True)
    gc.collect()
    assert len(recording.found) > 5
    assert not [one for one in recording.found.values() if one.expired()]


def outcome(
    made: Sequence[Trial], device: torch.device, breaks: Sequence[int] = (), drop: Sequence[int] = (), to: str = ""
) -> Outcome:
    """A whole training: kept and taken up again after the segments ``breaks``, ``drop`` stopped at the fifth point."""
    data = of(made)
    training, segments = Training(made, data, device), 0
    while not training.done:
        training.advance()
        segments += 1
        if training.point == 5:
            training.drop(drop)
        if segments in breaks and not training.done:
            training = Training.restored(made, data, torch.device(to or device), *training.state())
    return training.outcome()


def compare(one: Outcome, two: Outcome, rtol: float = 0.0) -> None:
    assert np.array_equal(one.diverged, two.diverged) and np.array_equal(one.stopped, two.stopped)
    for mine, other in ((one.history, two.history), (one.weights, two.weights)):
        assert mine.keys() == other.keys()
        for name, value in mine.items():
            if not rtol:
                assert np.array_equal(value, other[name], equal_nan=True), name
            elif name not in ("histogram", "train_accuracy", "validation_accuracy", "saturated", "dead", "zeros"):
                np.testing.assert_allclose(value, other[name], rtol, 1e-9, err_msg=name)


LOST = {"layers": [12, 8], "steps": 200, "learning_rate": 0.05, "dropout": 0.1, "batch_size": 20}


def some_lost(**fields: Any) -> list[Trial]:
    """Four trials, one of which diverges on the way."""
    made = trials(apart="of shared seeds", **{**LOST, **fields})
    return [made[0], made[1].model_copy(update={"learning_rate": 1e6, "activation": made[1].activation}), *made[2:]]


def test_trainings_that_lose_trials_stop_some_and_are_taken_up_again(
    replayed: None, cpu: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = some_lost(activation="identity")
    whole, parted = outcome(made, cpu, drop=[2]), outcome(made, cpu, breaks=[3, 4, 9], drop=[2])
    assert whole.diverged[1] and whole.stopped[2] and not whole.diverged[[0, 3]].any()
    not_recorded(monkeypatch)
    plain = outcome(made, cpu, drop=[2])
    compare(whole, plain)
    compare(parted, plain)


def test_what_cannot_be_recorded_goes_on_as_it_is(
    replayed: None, cpu: torch.device, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = trials()
    want = outcome(made, cpu)

    def refused(function: Callable[..., Tensor], inputs: Sequence[Tensor]) -> Any:
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nSearch for ...")

    monkeypatch.setattr(graphs, "recorded", refused)
    compare(outcome(made, cpu), want)
    said = capsys.readouterr().err
    assert said.count("could not be recorded as a CUDA graph (CUDA error: operation not permitted when stream is capturing)") == 1


def test_memory_that_runs_out_is_no_reason_to_go_on_without(
    replayed: None, cpu: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(function: Callable[..., Tensor], inputs: Sequence[Tensor]) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(graphs, "recorded", full)
    with pytest.raises(torch.OutOfMemoryError):
        outcome(trials(), cpu)


def test_a_stack_is_freed_with_its_last_name(replayed: None, cpu: torch.device) -> None:
    """What a graph holds on a GPU goes with its stack, and does not wait for Python's collector of cycles."""
    gc.collect()
    gc.disable()
    try:
        stack = Stack(trials(), of(trials()), cpu)
        with torch.no_grad():
            stack.advance(WARM + 2)
        graph = weakref.ref(stack.graph)
        del stack
        assert graph() is None
    finally:
        gc.enable()


gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="takes a CUDA GPU")
CUDA = torch.device("cuda")


@gpu
@pytest.mark.parametrize("name", DENSE)
def test_a_gpu_gives_the_processors_numbers(name: str, cpu: torch.device) -> None:
    made = trials(apart="of their own numbers", **DENSE[name])
    compare(outcome(made, CUDA), outcome(made, cpu), rtol=1e-6)


@gpu
@pytest.mark.parametrize("name", DENSE)
def test_a_gpu_records_the_step_and_the_numbers_stay(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, usual = trials(apart="of shared seeds", **DENSE[name]), graphs.aside

    def watched(function: Callable[..., Tensor], inputs: Sequence[Tensor]) -> Tensor:
        torch.cuda.set_sync_debug_mode("error")
        try:
            return usual(function, inputs)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(graphs, "aside", watched)
    if "check_input_liveness" in inspect.signature(torch.cuda.graph).parameters:
        monkeypatch.setattr(torch.cuda, "graph", partial(torch.cuda.graph, check_input_liveness=True))
    stack = Stack(made, of(made), CUDA)
    with torch.no_grad():
        stack.advance(WARM + 1)
        for samples in (25, 7, 10):
            stack.evaluate(stack.x[:samples], stack.y[:samples])
            snapshot(stack, stack.x[:samples], stack.y[:samples], None, True)
        stack.advance(2)
    assert stack.graph is not None and stack.graph.replay is not None
    recorded = outcome(made, CUDA)
    not_recorded(monkeypatch)
    compare(recorded, outcome(made, CUDA), rtol=1e-9)


@gpu
@pytest.mark.parametrize("to", ["cuda", "cpu"])
def test_a_training_begun_on_a_gpu_is_taken_up_again(to: str, cpu: torch.device) -> None:
    made = some_lost(activation="identity")
    compare(outcome(made, CUDA, breaks=[3], drop=[2], to=to), outcome(made, cpu, drop=[2]), rtol=1e-6)
