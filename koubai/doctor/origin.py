"""Where the first value arose that is no number, as a watch has traced it, and what the doctor says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from koubai.doctor.finding import Finding
from koubai.language import Words


@dataclass(frozen=True)
class Origin:
    """At which step, in which part of it, and where they are known in which layer and operation, the first value was no number.

    ``part`` ``"weights"`` means that they came so out of the step before. ``grown`` says that loss or weights had grown far beyond
    their first size by then: the steps were too large, wherever it showed first.
    """

    step: int
    part: Literal["input", "weights", "forward", "loss", "backward"]
    layer: str | None = None
    operation: str | None = None
    grown: bool = False

    def finding(self) -> Finding:
        """The finding: fatal, with the step as evidence."""
        where = {
            "input": Words(
                "the input already holds values that are not finite (NaN or infinity): check the data",
                "入力にすでに有限でない値(NaNまたは無限大)があります。データを確認してください",
            ),
            "weights": Words(
                f"the weights of {self.layer} were no longer finite: the update before caused it",
                f"{self.layer} の重みがすでに有限でなくなっていました。直前の更新が原因です",
            ),
            "forward": Words(
                f"{self.operation} in {self.layer} gave the first value that is not finite, from values that all were",
                f"{self.layer} の演算 {self.operation} が、有限な値から最初の有限でない値を出しました",
            ),
            "loss": Words(
                "the model's output is all finite, and the loss computed from it is not: check how the loss is computed",
                "モデルの出力はすべて有限ですが、そこから計算した損失が有限ではありません。損失の計算を確認してください",
            ),
            "backward": Words(
                f"the forward pass was all finite; the gradient stopped being finite on its way down to {self.layer}",
                f"順伝播はすべて有限でしたが、{self.layer} まで下りる途中で勾配が有限でなくなりました",
            ),
        }[self.part]
        grown = Words(
            ". Before that, the loss or the weights had grown far beyond their initial size: the steps are too large",
            "。その前から損失か重みが最初よりはるかに大きくなっており、更新が大きすぎます",
        )
        more = grown if self.grown else Words("", "")
        cause = "learning rate" if self.grown or self.part == "weights" else "data" if self.part == "input" else None
        words = Words(f"At step {self.step} {where.en}{more.en}.", f"ステップ {self.step} で、{where.ja}{more.ja}。")
        return Finding("fatal", words, self.layer, cause, {"step": float(self.step)})
