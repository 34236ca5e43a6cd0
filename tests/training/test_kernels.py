"""Products by oneDNN: the same training but for rounding, exact where they must be, one way at a time in a process."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
import torch

from koubai.data import Dataset
from koubai.spec import Trial
from koubai.training import Training, kernels, train
from koubai.training.kernels import by_onednn, faster, products

CPU = torch.device("cpu")
library: Any = torch.backends.mkldnn


def setting() -> str:
    """PyTorch's, of the process."""
    return str(library.matmul.fp32_precision)


@pytest.mark.skipif(not hasattr(library, "matmul"), reason="PyTorch before 2.9 has no such setting")
class TestProducts:
    """The setting, and whose turn it is."""

    def test_the_setting_is_put_back(self) -> None:
        usual = setting()
        with products(onednn=True):
            inside = setting()
            with products(onednn=True):
                pass
            assert setting() == inside != usual
        assert setting() == usual
        with products(onednn=False):
            assert setting() == usual
        with pytest.raises(ZeroDivisionError), products(onednn=True):
            1 / 0  # noqa: B018
        assert setting() == usual

    def test_threads_with_other_products_take_turns(self) -> None:
        """Each sees its own setting at every moment, and none is kept out by a stream of others."""
        usual, wrong, stop = setting(), [], threading.Event()
        turns = {True: 0, False: 0}

        def work(onednn: bool) -> None:
            while not stop.is_set():
                with products(onednn):
                    time.sleep(0.0005)
                    if (setting() == usual) is onednn:
                        wrong.append(onednn)
                turns[onednn] += 1

        threads = [threading.Thread(target=work, args=(onednn,)) for onednn in (True, True, False, False)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 30
        while min(turns.values()) < 10 and time.monotonic() < deadline:
            time.sleep(0.01)
        stop.set()
        for thread in threads:
            thread.join()
        assert not wrong
        assert min(turns.values()) >= 10
        assert setting() == usual


class TestChoice:
    """Which stacks train by oneDNN."""

    @pytest.fixture
    def fast(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kernels, "faster", lambda: True)

    @pytest.mark.usefixtures("fast")
    @pytest.mark.parametrize(("width", "gains"), [(1, False), (12, False), (24, True), (60, True)])
    def test_small_products_stay(self, width: int, gains: bool) -> None:
        """3,560 multiplications a sample in three layers, 100 samples: 1.5 million a layer are 12.6 networks."""
        trials = [Trial(layers=(40, 20), batch_size=100, seed=seed) for seed in range(width)]
        assert by_onednn(trials, 64, 10) is gains

    @pytest.mark.usefixtures("fast")
    def test_networks_of_images_have_large_products_anyhow(self) -> None:
        """Their step is long beside what a call of the other library costs, and they need not wait for their turn among each other."""
        assert by_onednn([Trial(layers="simple-cnn", batch_size=100)], (28, 28), 10)
        assert by_onednn([Trial(layers="deep-cnn", batch_size=100)], (28, 28), 10)

    @pytest.mark.usefixtures("fast")
    def test_only_float32_has_another_way(self) -> None:
        assert by_onednn([Trial(layers=(1000, 1000))], 64, 10)
        assert not by_onednn([Trial(layers=(1000, 1000), dtype="float64")], 64, 10)
        assert not by_onednn([Trial(layers=(1000, 1000), dtype="bfloat16")], 64, 10)

    def test_a_processor_without_the_kernels_never_has_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kernels, "faster", lambda: False)
        assert not by_onednn([Trial(layers=(1000, 1000))], 64, 10)


@pytest.mark.skipif(not faster(), reason="oneDNN is not the faster one on this processor")
def test_a_training_is_the_same_but_for_rounding(digits: Dataset) -> None:
    """Against float64. Rounded to bfloat16 it would be some thousandths off."""
    trials = [Trial(layers=(100, 100), batch_size=100, steps=60, seed=seed, learning_rate=0.05) for seed in range(4)]
    assert Training(trials, digits, CPU).onednn
    fast = train(trials, digits, CPU)
    exact = train([trial.replace({"dtype": "float64"}) for trial in trials], digits, CPU)
    np.testing.assert_allclose(fast.history["train_loss"], exact.history["train_loss"], rtol=2e-5)
