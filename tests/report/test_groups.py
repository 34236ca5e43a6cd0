"""Runs as figures take them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from koubai.laboratory import run
from koubai.report.groups import Group
from koubai.study import Study


def test_seeds_that_were_looked_at_at_other_steps_go_into_one_band(tmp_path: Path) -> None:
    study = Study({"data": "digits", "layers": [4], "steps": 60, "batch_size": 50}, axes={"seed": 2})
    first, second = run(study, store=tmp_path, progress=False).records
    few = [0, 2, 5]  # an older version's points
    older = replace(
        second, steps=second.steps[few], history={name: curve[few] for name, curve in second.history.items() if name == "loss"}
    )
    curves = Group("", {}, [first, older]).curves("loss")
    nearest = [min(few, key=lambda k: abs(second.steps[k] - step)) for step in first.steps]
    assert np.array_equal(curves, [first.history["loss"], second.history["loss"][nearest]], equal_nan=True)
    whole = Group("", {}, [first, second])
    assert whole.curves("loss").shape == (2, 6) and whole.curves("histogram").shape[:2] == (2, 5)
