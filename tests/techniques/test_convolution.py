"""Convolution by im2col against PyTorch's own functions, autograd and finite differences, over drawn shapes."""

from __future__ import annotations

import doctest

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from koubai.techniques import convolution as module
from koubai.techniques.convolution import ImpossibleSize, col2im, convolution, convolution_backward, im2col, output_size, overlaps


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


SIDES = st.one_of(st.integers(1, 4), st.tuples(st.integers(1, 4), st.integers(1, 4)))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor, dict[str, int | tuple[int, int]]]:
    """Images, filters, biases, and a stride and a padding under which the filters fit."""
    samples, channels, out = (draw(st.integers(1, 3)) for _ in range(3))
    filter = draw(SIDES)
    high, wide = (filter, filter) if isinstance(filter, int) else filter
    stride = draw(SIDES)
    padding = draw(st.one_of(st.integers(0, 3), st.tuples(st.integers(0, 3), st.integers(0, 3))))
    above, left = (padding, padding) if isinstance(padding, int) else padding
    height, width = draw(st.integers(max(1, high - 2 * above), 9)), draw(st.integers(max(1, wide - 2 * left), 9))
    noise = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    x, w, b = (
        torch.randn(*shape, dtype=torch.float64, generator=noise)
        for shape in ((samples, channels, height, width), (out, channels, high, wide), (out,))
    )
    return x, w, b, {"stride": stride, "padding": padding}


@given(cases())
def test_rows_are_pytorchs_unfold_and_col2im_is_its_fold(case: tuple[Tensor, Tensor, Tensor, dict]) -> None:
    x, w, _, how = case
    filter = tuple(w.shape[2:])
    columns = im2col(x, filter, **how)
    assert torch.equal(columns, F.unfold(x, filter, **how).transpose(1, 2).reshape(columns.shape))
    folded = F.fold(columns.view(len(x), -1, columns.shape[1]).transpose(1, 2), tuple(x.shape[2:]), filter, **how)
    torch.testing.assert_close(col2im(columns, x.shape, filter, **how), folded, rtol=1e-12, atol=1e-12)


@given(cases())
def test_col2im_gives_each_pixel_back_as_often_as_it_was_copied(case: tuple[Tensor, Tensor, Tensor, dict]) -> None:
    x, w, _, how = case
    filter = tuple(w.shape[2:])
    count = overlaps(x.shape, filter, **how)
    back = col2im(im2col(x, filter, **how), x.shape, filter, **how)
    torch.testing.assert_close(back, x * count, rtol=1e-12, atol=1e-12)
    seen = count > 0
    torch.testing.assert_close((back / count)[seen], x[seen], rtol=1e-12, atol=1e-12)
    marked = torch.arange(x.numel()).view(x.shape).double() + 1
    rows = im2col(marked, filter, **how)
    for pixel in (1, x.numel()):  # the first and the last, counted one by one
        assert count.flatten()[pixel - 1] == (rows == pixel).sum()


@given(cases())
def test_forward_and_backward_are_conv2ds_and_autograds(case: tuple[Tensor, Tensor, Tensor, dict]) -> None:
    x, w, b, how = case
    leaves = [tensor.clone().requires_grad_() for tensor in (x, w, b)]
    want = F.conv2d(*leaves, **how)
    torch.testing.assert_close(convolution(x, w, b, **how), want.detach(), rtol=1e-10, atol=1e-10)
    dy = torch.randn(want.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for found, leaf in zip(convolution_backward(dy, x, w, **how), torch.autograd.grad(want, leaves, dy), strict=True):
        torch.testing.assert_close(found, leaf, rtol=1e-10, atol=1e-10)


@given(cases(), st.integers(0, 2**32))
def test_backward_is_the_slope_that_differences_measure(case: tuple[Tensor, Tensor, Tensor, dict], seed: int) -> None:
    x, w, b, how = case
    noise = torch.Generator().manual_seed(seed)
    dy = torch.randn(convolution(x, w, b, **how).shape, dtype=torch.float64, generator=noise)
    ways = [torch.randn(tensor.shape, dtype=torch.float64, generator=noise) for tensor in (x, w, b)]

    def value(step: float) -> Tensor:
        return (dy * convolution(*(t + step * way for t, way in zip((x, w, b), ways, strict=True)), **how)).sum()

    # a product of two things that move is a parabola: the central difference has no error but rounding
    measured = (value(1e-3) - value(-1e-3)) / 2e-3
    slope = sum((g * way).sum() for g, way in zip(convolution_backward(dy, x, w, **how), ways, strict=True))
    torch.testing.assert_close(slope, measured, rtol=1e-7, atol=1e-7)


def test_the_notes_array_has_a_row_for_each_place_and_a_column_for_each_weight() -> None:
    assert im2col(torch.zeros(10, 3, 7, 7), 5).shape == (90, 75)


def test_rows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ImpossibleSize):
        im2col(torch.zeros(1, 1, 3, 3), 4)


def test_the_examples_in_the_docstrings_run() -> None:
    assert doctest.testmod(module, extraglobs={"torch": torch}).failed == 0
