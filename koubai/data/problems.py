"""What one should know about a data set before training on it."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from koubai.data.found import Found
from koubai.language import Words, counted

IMBALANCE = 5  # times as many samples
FEW = 10  # samples of a class
FAR = 10  # from 0


def problems(found: Found) -> list[Words]:
    """Sentences about what is uneven, missing, constant, out of range or there twice; then the reader's own notes."""
    parts = (_classes, _missing, _constant, _counting, _range, _twice)
    return [*itertools.chain.from_iterable(part(found) for part in parts), *found.notes]


def _classes(found: Found) -> Iterator[Words]:
    if not found.classes:
        return
    counts = np.bincount(found.y, minlength=len(found.classes))
    most, least = int(counts.argmax()), int(counts.argmin())
    big, small = found.classes[most], found.classes[least]
    if counts[most] >= IMBALANCE * counts[least]:
        share = counts[most] / counts.sum()
        yield Words(
            f"The classes are uneven: {counts[most]:,} samples of {big!r}, {counts[least]:,} of {small!r}. "
            f"Always answering {big!r} is right for {share:.1%}.",
            f"クラスの数に偏りがあります。{big!r} が {counts[most]:,} 個、{small!r} が {counts[least]:,} 個です。"
            f"常に {big!r} と答えるだけで正解率は {share:.1%} になります。",
        )
    elif counts[least] < FEW:
        yield Words(
            f"Few samples: {counts[least]:,} of class {small!r}.",
            f"サンプルの少ないクラスがあります。クラス {small!r} は {counts[least]:,} 個です。",
        )


def _missing(found: Found) -> Iterator[Words]:
    counts = dict(found.missing)
    if not counts and found.x.dtype != np.uint8 and np.isnan(found.x.min()):
        counts = {"x": int(np.isnan(found.x).sum())}
    if counts:
        listed = _listed([f"{name} ({count:,})" for name, count in counts.items()])
        yield Words(
            f'Missing values in {listed}: missing = "mean" fills them, "drop" leaves such samples out.',
            f'欠損値があります: {listed}。missing = "mean" で平均を補い、"drop" でそのサンプルを除けます。',
        )


def _constant(found: Found) -> Iterator[Words]:
    flat = found.x.reshape(len(found.x), -1)
    constant = np.flatnonzero(flat.min(0) == flat.max(0))
    if len(constant):
        named = f" ({_listed([found.columns[k] for k in constant])})" if found.columns else ""
        yield Words(
            f"The same in all training samples: {len(constant):,} of {counted(flat.shape[1], 'feature')}{named}; it teaches nothing.",
            f"{flat.shape[1]:,} 個の特徴量のうち {len(constant):,} 個は全訓練サンプルで同じ値です{named}。学習には役立ちません。",
        )


def _counting(found: Found) -> Iterator[Words]:
    for k, name in enumerate(found.columns):
        if len(found.x) > 2 and (np.diff(found.x[:, k]) == 1).all():
            yield Words(
                f"The column {name!r} only numbers the rows; drop = [{name!r}] leaves it out.",
                f"列 {name!r} は行番号のようです。drop = [{name!r}] で除けます。",
            )


def _range(found: Found) -> Iterator[Words]:
    if found.x.dtype == np.uint8:
        return
    flat = found.x.reshape(len(found.x), -1)
    low, high = np.fmin.reduce(flat, 0), np.fmax.reduce(flat, 0)
    reach = float(np.nanmax(np.abs([low, high])))
    if reach > FAR:
        yield Words(
            f"Values reach {reach:,.6g}: standardize = true brings them near 1, where networks learn best.",
            f"値の大きさが {reach:,.6g} に達します。standardize = true で1前後に揃えると学習しやすくなります。",
        )
    if found.test is not None:
        test = found.test[0].reshape(len(found.test[0]), -1)
        wide = high - low
        outside = (np.fmax.reduce(test, 0) > high + wide) | (np.fmin.reduce(test, 0) < low - wide)
        if outside.any():
            yield Words(
                f"Features that reach far outside their training range in the test part: {outside.sum():,}.",
                f"{outside.sum():,} 個の特徴量で、テスト用の値が訓練時の範囲から大きく外れています。",
            )


def _twice(found: Found) -> Iterator[Words]:
    keys = _keys(found.x)
    unlike = set(keys)
    if found.test is None:
        again = len(keys) - len(unlike)
        if again:
            yield Words(
                f"Duplicate samples: {again:,}. Some may be among both the training and the validation samples.",
                f"{again:,} 個のサンプルが他と同じです。訓練用と検証用の両方に同じサンプルが入ることがあります。",
            )
    else:
        again = sum(key in unlike for key in _keys(found.test[0]))
        if again:
            yield Words(
                f"Test samples that are among the training samples too: {again:,}.",
                f"テスト用のサンプルのうち {again:,} 個が訓練用にも含まれています。",
            )
    both = Counter(key for key, _ in set(zip(keys, found.y.tolist(), strict=True)))
    torn = sum(count > 1 for count in both.values())
    if torn:
        yield Words(
            f"Samples that appear with more than one label: {torn:,}.",
            f"内容が同じなのに違うラベルが付いたサンプルが {torn:,} 組あります。",
        )


def _keys(x: np.ndarray) -> list[bytes]:
    """A hash of each sample."""
    return [hashlib.blake2b(sample.tobytes(), digest_size=16).digest() for sample in x]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
