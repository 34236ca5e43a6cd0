"""The loops of others: where Lightning or Hugging Face's transformers are installed, what they train is watched too."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import optimizer as hooked

from koubai.watching import Watch, watch

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_lightning(named: bool, accumulate: int, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lightning = pytest.importorskip("lightning")
    seen: Watch

    class Model(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
            self.optimizer = torch.optim.Adam(self.net.parameters(), 0.01)

        def training_step(self, batch: tuple[Tensor, Tensor], number: int) -> Tensor:
            loss = F.cross_entropy(self.net(batch[0]), batch[1])
            seen.loss(loss)
            return loss

        def validation_step(self, batch: tuple[Tensor, Tensor], number: int) -> None:
            self.net(batch[0])

        def configure_optimizers(self) -> Any:
            return self.optimizer

    torch.manual_seed(0)
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(64, 6), torch.randint(0, 3, (64,))), 8)
    model = Model()
    trainer = lightning.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accumulate_grad_batches=accumulate, default_root_dir=tmp_path,
    )  # fmt: skip
    with watch(model, model.optimizer if named else None) as seen:
        trainer.fit(model, data, data)
    case = seen.case()
    assert seen.t == 16 // accumulate
    assert case.layers == ("net.0", "net.1", "net.2")
    assert all(np.isfinite(case.history[name]).all() for name in ("gradient", "weight_gradient", "update", "loss"))
    assert not hooked._global_optimizer_post_hooks


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_hugging_face(precision: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers = pytest.importorskip("transformers")
        pytest.importorskip("accelerate")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
    )
    model = transformers.BertForSequenceClassification(config)
    rows = [{"input_ids": torch.randint(0, 30, (8,)), "labels": k % 2} for k in range(64)]
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), max_steps=12, per_device_train_batch_size=4, gradient_accumulation_steps=2, report_to=[],
        save_strategy="no", use_cpu=True, bf16=precision == "bf16", disable_tqdm=True,
    )  # fmt: skip
    with watch(model) as seen:
        transformers.Trainer(model=model, args=arguments, train_dataset=rows).train()
    case = seen.case()
    assert seen.t == 12
    assert case.layers[0] == "bert.embeddings.word_embeddings"
    assert case.layers[-1] == "classifier"
    assert "bert.encoder.layer.1.intermediate.intermediate_act_fn" in case.layers
    assert np.isfinite(case.history["gradient"]).all()
    assert np.isfinite(case.history["loss"]).all()  # transformers' models hand their loss out
    seen.report(tmp_path / "out.html")
