"""Checkpoints, where another process writes them too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import numpy, safe_open

from koubai.data.fingerprint import fingerprint
from koubai.spec import Trial
from koubai.store import checkpoints


def test_one_that_is_replaced_while_it_is_read_is_the_old_one_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [Trial(data="moons", seed=seed) for seed in (0, 1)]
    keeper = checkpoints.Keeper(tmp_path, trials, fingerprint("moons"))

    def keep(step: int) -> None:
        keeper.keep({"weights": np.full((2, 3), float(step)), "stopped": np.zeros(2, bool)}, {"t": step})

    keep(10)
    found = checkpoints.of(tmp_path, trials)
    assert found is not None

    def opened(*args: Any, **options: Any) -> Any:
        file = safe_open(*args, **options)
        keep(20)
        return file

    with monkeypatch.context() as patch:
        for module in (checkpoints, numpy):
            patch.setattr(module, "safe_open", opened)
        arrays, about = found.load()
    assert (arrays["weights"].tolist(), about["t"]) == ([[10.0] * 3] * 2, 10)
    assert found.load()[1]["t"] == 20
