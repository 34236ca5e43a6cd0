"""``koubai describe``: its counts against PyTorch's own, and what it prints in both languages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from typer.testing import CliRunner

from koubai.blueprint import NATIVE
from koubai.caution import size
from koubai.cli import app
from koubai.networks import build
from koubai.networks.inventory import inventory, samples
from koubai.networks.unstack import module
from koubai.spec import Trial

CPU = torch.device("cpu")
CASES: list[tuple[dict[str, Any], tuple[int, ...], int]] = [
    ({"layers": "deep-cnn"}, *NATIVE["deep-cnn"]),
    ({"layers": "simple-cnn", "batch_norm": "before", "dropout": 0.5}, (3, 12, 9), 4),
    ({"layers": [40, 20], "batch_norm": "after"}, (8, 8), 10),
    (
        {"layers": ["conv 3 3x2 stride 2 pad 1", "lrn", "avgpool 2", "batchnorm", 5, "dropout 0.5"], "dtype": "float64"},
        (2, 9, 9),
        3,
    ),
]


@pytest.mark.parametrize(("fields", "shape", "classes"), CASES)
def test_counts_are_those_of_the_plain_module(fields: dict[str, Any], shape: tuple[int, ...], classes: int) -> None:
    trial = Trial(batch_size=4, **fields)
    network = build([trial], shape, classes, CPU)
    weights = {
        f"{k}.{name}": tensor[0].numpy()
        for k, layer in enumerate(network.layers)
        for name, tensor in ({p.name: p.value for p in layer.parameters} | layer.state).items()
    }
    plain = module(trial, weights, shape)
    rows = inventory(trial, shape, classes)
    assert [row.place.label for row in rows] == [layer.label for layer in network.layers]
    layers = list(plain)[len(plain) - len(rows) :]
    assert [row.place.parameters for row in rows] == [sum(p.numel() for p in layer.parameters()) for layer in layers]
    width = shape if "flatten" in trial.layers and len(shape) == 3 else (1, *shape)
    flow = torch.zeros(4, *width, dtype=getattr(torch, trial.dtype))
    flow = flow if "flatten" in trial.layers else flow.flatten(1)
    for row, layer in zip(rows, layers, strict=True):
        with FlopCounterMode(display=False) as counter:
            flow = layer(flow)
        assert row.place.behind == tuple(flow.shape[1:])
        assert row.bytes == flow.numel() * flow.element_size()
        assert 2 * 4 * row.place.products == counter.get_total_flops()
    assert sum(row.share for row in rows) == pytest.approx(1) and all(row.share > 0 for row in rows)


def test_convolutions_are_most_of_the_deep_cnns_cost() -> None:
    rows = inventory(Trial(layers="deep-cnn", batch_size=8), *NATIVE["deep-cnn"])
    products = {name: sum(r.place.products for r in rows if r.place.part.name == name) for name in ("conv", "dense")}
    assert products["conv"] > 100 * products["dense"]


def test_large_networks_are_measured_on_fewer_samples() -> None:
    from koubai.places import places

    assert samples(Trial(layers="deep-cnn"), places(Trial(layers="deep-cnn"), (28, 28), 10)) == 100
    assert 2 <= samples(Trial(layers="alexnet"), places(Trial(layers="alexnet"), (3, 224, 224), 1000)) < 100


def koubai(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["describe", *arguments])


def test_a_preset_is_shown_at_its_own_size_and_on_data() -> None:
    shown = koubai("deep-cnn")
    assert shown.exit_code == 0, shown.output
    assert "deep-cnn on 28x28, 10 classes" in shown.output and "123,552" in shown.output and "conv 32 3x3 pad 2" in shown.output
    assert "simple-cnn on digits, 8x8, 10 classes" in koubai("simple-cnn", "--data", "digits").output


def test_every_network_of_a_study_is_shown_once(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('[base]\nlayers = [9]\n[axes]\nseed = 3\nlayers = [[9], ["conv 2 3x3"]]\nlearning_rate = [0.1, 0.2]\n')
    shown = koubai(str(file)).output
    assert shown.count("classes, minibatches") == 2 and "9 on digits" in shown and "conv 2 3x3 on digits" in shown


@pytest.mark.slow
def test_in_japanese() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "koubai", "--lang", "ja", "describe", "simple-cnn", "--data", "digits"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert all(word in run.stdout for word in ("積和演算", "パラメータ", "試行の設定", "合計"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("alxnet",), "There is no preset or file 'alxnet'; did you mean 'alexnet'?"),
        (("missing.toml",), "missing.toml cannot be read"),
        (("alexnet", "--data", "digits"), "layers: 'maxpool 3 stride 2' gets 96x1x1."),
        (("simple-cnn", "--data", "moons"), "needs images"),
        (("simple-cnn", "--data", "digitz"), "'digitz'"),
    ],
)
def test_what_cannot_be_shown_is_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    run = koubai(*arguments)
    assert run.exit_code == 2 and sentence in run.output and "Traceback" not in run.output


def test_sizes() -> None:
    counts = (0, 999, 1000, 41_200_000, 999_700_000, 1_550_000_000, 12_340_000_000_000)
    assert [size(count) for count in counts] == ["0 B", "999 B", "1 kB", "41.2 MB", "1 GB", "1.55 GB", "12,340 GB"]
