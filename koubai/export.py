"""A trained network leaves as a folder: the Python that builds it, its weights, what it takes and gives. Koubai is not needed there."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from koubai.blueprint import title
from koubai.data import Dataset, load
from koubai.data.files import unwritable
from koubai.language import UserError, Words
from koubai.measures import is_regression
from koubai.places import entrance
from koubai.preparation import pictures, preparation
from koubai.store import Record

if TYPE_CHECKING:
    from torch import Tensor, nn

PIECE = 256  # samples that go through a network at once
TOLERANCE = 1e-5  # of ONNX's outputs, relative to the largest

README = """# {name}

- {layers}
- {trained.en} / {trained.ja}: `{data}` (Koubai {version})
- {reached}

```python
import torch
from model import load, prepare{also}  # {here.en} / {here.ja}

network = load()
x = prepare({raw}
print({answer})  # {gives.en} / {gives.ja}
```

## {input.en} / {input.ja}

{goes_in}

## {output.en} / {output.ja}

{goes_out}
"""
FIXED = {
    "trained": Words("Trained on", "学習データ"),
    "here": Words("in this folder", "このフォルダで"),
    "input": Words("What goes in", "入力"),
    "output": Words("What comes out", "出力"),
}
PREPARED = Words("All of this is what `prepare` does.", "以上はすべて `prepare` が行います。")
CLASSES = Words("The classes, in the order of the outputs", "クラス(出力の順)")
QUANTITY = Words(
    "One number, the target standardized; `target` gives it in its own unit.",
    "数が1つ。標準化した値なので、`target` で元の単位に戻します。",
)
BYTES = Words(
    "Bytes are brightness and are divided by 255; other numbers stay as they are.",
    "バイトは明るさとして255で割ります。ほかの数はそのままです。",
)
ONE_HOT = Words("Columns, in this order; categories one-hot", "列(この順。カテゴリはone-hot)")
FILLED = Words(
    "A missing value becomes its feature's `input.missing` in `model.json`.",
    "欠損値には `model.json` の `input.missing` にある値を入れます。",
)
STANDARD = Words(
    "Then `(x - mean) / scale`, with `input.mean` and `input.scale` of `model.json`.",
    "続いて `model.json` の `input.mean` と `input.scale` を使って `(x - mean) / scale` とします。",
)


def finished(record: Record) -> tuple[nn.Sequential, Dataset]:
    """The trained network and the data it was trained on. Raises ``UserError`` where it diverged, or the data are gone or others now."""
    from koubai.networks.unstack import module

    trial = record.trial
    if record.diverged:
        raise UserError(
            f"Trial {trial.id[:8]} diverged at step {record.diverged}, so it has no weights to use; choose another.",
            f"試行 {trial.id[:8]} はステップ {record.diverged} で発散したため、使える重みがありません。別の試行を選んでください。",
        )
    if record.stopped:
        raise UserError(
            f"Trial {trial.id[:8]} was stopped at step {record.stopped}, so it has no weights to use; choose another.",
            f"試行 {trial.id[:8]} はステップ {record.stopped} で打ち切られたため、使える重みがありません。別の試行を選んでください。",
        )
    try:
        data = load(trial.data)
    except UserError as error:
        raise UserError(
            f"The data that trial {trial.id[:8]} was trained on are needed, for what was fitted on them: {error.words.en}",
            f"試行 {trial.id[:8]} の学習データが必要です(前処理をそこから求めます)。{error.words.ja}",
        ) from None
    network = module(trial, record.weights())
    if not _same(record, network, data):
        raise UserError(
            f"{trial.data.name} is not what it was when trial {trial.id[:8]} was trained; bring the old data back, or train with --fresh.",
            f"{trial.data.name} の内容が試行 {trial.id[:8]} の学習時と違います。元のデータに戻すか、--fresh で学習し直してください。",
        )
    return network, data


def _same(record: Record, network: nn.Sequential, data: Dataset) -> bool:
    """Whether the data give the network its last validation accuracy again, up to rounding: two samples at the edge, or a thousandth.

    Of a quantity it is the loss that must be the same.
    """
    x, y = data.x_validation, data.y_validation
    try:
        given = outputs(record, network, data, len(x), lambda part: np.asarray(x[part]))
    except RuntimeError:  # of other sizes
        return False
    if given.shape[1] != data.outputs:
        return False
    if data.target:
        wrong = float(((given[:, 0].numpy() - y) ** 2).sum(dtype=np.float64))
        before = record.final("validation_loss") * len(x)
        return abs(wrong - before) < 0.001 * before + 1e-6
    right = int((given.argmax(1).numpy() == y).sum())
    return abs(right - record.final("validation_accuracy") * len(x)) < 2.5 + len(x) / 1000


def outputs(
    record: Record, network: nn.Sequential, data: Dataset, samples: int, features: Callable[[slice], np.ndarray]
) -> Tensor:
    """What a network says of so many samples, ``[sample, output]``, some at a time; ``features`` are the rows of a part of them."""
    import torch

    shape, dtype = entrance(record.trial.layers, data.shape), next(network.parameters()).dtype
    with torch.no_grad():
        parts = (torch.from_numpy(features(slice(start, start + PIECE))).to(dtype) for start in range(0, samples, PIECE))
        return torch.cat([network(x.view(len(x), *shape)) for x in parts])


def export(record: Record, folder: str | Path, name: str = "network", onnx: bool = False) -> Path:
    """Write ``model.py``, ``model.safetensors``, ``model.json``, ``README.md`` and, if asked for, ``model.onnx``, and give the folder.

    The folder is there whole or not at all. Raises ``UserError`` where it is taken, and what ``finished`` raises.
    """
    from safetensors.torch import save

    from koubai.networks.source import source

    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            f"{folder} is there already; name another with --to.",
            f"{folder} はすでにあります。--to で別の名前を指定してください。",
        )
    network, data = finished(record)
    shape = entrance(record.trial.layers, data.shape)
    about = f"{name}: {title(record.trial.layers)}, trained on {record.trial.data}."
    written = source(network, shape, data.outputs, about, preparation(data))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            (part / "model.py").write_text(written, encoding="utf-8")
            (part / "model.safetensors").write_bytes(save(network.state_dict()))
            facts = {"name": name, **described(record, data, shape)}
            (part / "model.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            (part / "README.md").write_text(_readme(name, record, data), encoding="utf-8")
            if onnx:
                to_onnx(network, shape, part / "model.onnx")
            part.chmod(0o755)  # temporary folders are the owner's alone
            if folder.is_dir():
                folder.rmdir()
            os.rename(part, folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    return folder


def described(record: Record, data: Dataset, shape: tuple[int, ...]) -> dict[str, Any]:
    """What goes into a network, what comes out, how it was trained and what it reached, for ``model.json``."""
    transform, trial = data.transform, record.trial
    goes_in: dict[str, Any] = {"shape": shape, "dtype": trial.kept, "bytes": "divided by 255"}
    if transform.means is not None:
        goes_in["missing"] = transform.means.reshape(shape).tolist()
    if transform.standard is not None:
        goes_in["mean"], goes_in["scale"] = (values.reshape(shape).tolist() for values in transform.standard)
    if pictures(data) and not transform.fields:
        goes_in["image"] = (1, *data.shape) if len(data.shape) == 2 else data.shape
    if transform.fields:
        goes_in["columns"] = [{"name": n, **({"categories": c} if c is not None else {})} for n, c in transform.fields.items()]
    kept = ("train_accuracy", "validation_accuracy", "validation_loss", "validation_rmse")
    reached = {n.replace("accuracy", "r2") if data.target else n: record.final(n) for n in kept if n in record.history}
    comes_out = {"output": dict(zip(("mean", "scale"), data.target, strict=True))} if data.target else {"classes": data.classes}
    return {
        "id": trial.id, "trial": trial.model_dump(mode="json"), "input": goes_in, **comes_out,
        "reached": reached, "environment": record.environment,
    }  # fmt: skip


def _readme(name: str, record: Record, data: Dataset) -> str:
    """What a person should know of the folder, in both languages."""
    from koubai import __version__

    transform, about = data.transform, []
    if transform.fields:
        columns = (n if c is None else f"{n} ({', '.join(c)})" for n, c in transform.fields.items())
        about.append(f"{ONE_HOT.en} / {ONE_HOT.ja}: {', '.join(columns)}")
    steps = {BYTES: not transform.fields, FILLED: transform.means is not None, STANDARD: transform.standard is not None}
    about += [f"{words.en} {words.ja}" for words, needed in (steps | {PREPARED: True}).items() if needed]
    value = record.final("validation_accuracy")
    if is_regression(record):
        reached = f"Validation R² / 検証R²: {value:.4f}, RMSE {record.final('validation_rmse'):.4g}"
        gives, goes_out = Words("in the unit of the target", "target の単位で"), f"{QUANTITY.en} {QUANTITY.ja}"
    else:
        reached = f"Validation accuracy / 検証精度: {value:.2%}"
        gives, goes_out = (
            Words("a probability for each class", "各クラスの確率"),
            f"{CLASSES.en} / {CLASSES.ja}: {', '.join(data.classes)}",
        )
    raw = f"torch.zeros(1, {', '.join(map(str, data.shape))}))" + '  # or prepare("image.png")' * pictures(data)
    if transform.fields:
        raw = "{" + ", ".join(f"{n!r}: {0 if c is None else c[0]!r}" for n, c in transform.fields.items()) + "})"
    return README.format(
        name=name, layers=title(record.trial.layers), version=__version__, data=record.trial.data, reached=reached,
        raw=raw, also=", target" if data.target else "", gives=gives,
        answer="target(network(x))" if data.target else "network(x).softmax(1)",
        goes_in="\n".join(f"- {line}" for line in about), goes_out=goes_out, **FIXED,
    )  # fmt: skip


def to_onnx(network: nn.Sequential, shape: tuple[int, ...], path: Path) -> None:
    """Write the network as ONNX, for any number of samples, and hold onnxruntime's outputs to the module's. Raises ``UserError``."""
    import torch

    try:
        import onnxruntime
        import onnxscript  # noqa: F401 (torch.onnx needs it, and onnx)
    except ImportError as error:
        raise UserError(
            f"ONNX needs {error.name}; install it with pip install 'koubai[onnx]'.",
            f"ONNXの書き出しには {error.name} が必要です。pip install 'koubai[onnx]' で導入してください。",
        ) from None
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0), dtype=next(network.parameters()).dtype)
    log = logging.getLogger("torch.onnx")
    level = log.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own parts
        log.setLevel(logging.ERROR)  # of packages that it would use, were they there
        try:
            torch.onnx.export(
                network, (x,), path, dynamo=True, external_data=False, verbose=False, input_names=["x"], output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("sample")},),
            )  # fmt: skip
        finally:
            log.setLevel(level)
    (outputs,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x.numpy()})
    with torch.no_grad():
        expected = network(x).numpy()
    apart = float(np.abs(outputs - expected).max() / max(np.abs(expected).max(), 1e-30))
    if not apart <= TOLERANCE:
        raise UserError(
            f"onnxruntime's outputs differ from the network's by {apart:.1e}, more than {TOLERANCE:.0e}; export it without --onnx.",
            f"onnxruntime の出力が元と {apart:.1e} 違います(許容 {TOLERANCE:.0e})。--onnx なしで書き出してください。",
        )
