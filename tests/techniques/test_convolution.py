"""The size of a convolution's output, against PyTorch's own layer."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from koubai.techniques.convolution import ImpossibleSize, output_size


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 6), st.integers(0, 6))
def test_as_pytorchs_layer(size: int, filter: int, stride: int, padding: int) -> None:
    layer = torch.nn.Conv2d(1, 1, filter, stride, padding)
    image = torch.zeros(1, 1, size, size)
    if filter > size + 2 * padding:
        with pytest.raises(RuntimeError):
            layer(image)
        with pytest.raises(ImpossibleSize):
            output_size(size, filter, stride, padding)
    else:
        out = output_size(size, filter, stride, padding)
        assert tuple(layer(image).shape[2:]) == (out, out)


def test_the_notes_own() -> None:
    assert output_size(6, 2, stride=1, padding=1) == 7


@pytest.mark.parametrize(
    ("arguments", "word"), [((0, 1), "size"), ((5, 0), "filter"), ((5, 1, 0), "stride"), ((5, 1, 1, -1), "padding")]
)
def test_what_cannot_be_is_a_sentence_that_names_it(arguments: tuple[int, ...], word: str) -> None:
    with pytest.raises(ValueError, match=f"^The {word} must be at least .*\\.$") as raised:
        output_size(*arguments)
    assert isinstance(raised.value, ImpossibleSize) and word in raised.value.words.ja


def test_a_filter_larger_than_the_padded_input_is_named_with_both() -> None:
    with pytest.raises(ImpossibleSize, match=r"filter of 9 does not fit an input of 5 with padding 1, which is 7 wide"):
        output_size(5, 9, 1, 1)
