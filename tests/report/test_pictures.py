"""The pictures of techniques: their numbers against formulas written out here, and both ways of drawing them."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from koubai.choices import KIND_WORDS
from koubai.language import UserError, Words, speaking
from koubai.report.braille import canvas
from koubai.report.maps import Map, Maps, spelled
from koubai.report.pictures import PICTURES, Line, Picture, as_text, figure, picture, values, write
from koubai.report.weaknesses import weakness
from koubai.spec import Trial
from koubai.techniques import ACTIVATIONS, INITIALIZERS, KINDS, OPTIMIZERS, PENALTIES, SCHEDULES, Technique, activation
from koubai.written import WRITTEN, written

ALL = [(kind, name) for kind, members in KINDS.items() for name in members]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_every_technique_has_a_picture_in_both_languages(kind: str, name: str) -> None:
    drawn = picture(kind, KINDS[kind][name])
    if kind not in PICTURES or (kind == "normalization" and name != "batch_norm"):
        assert drawn is None
        return
    assert drawn is not None
    texts = []
    for language in ("en", "ja"):
        with speaking(language):
            texts.append(as_text(drawn))
            assert len(figure(drawn).data) == len(drawn.maps if isinstance(drawn, Maps) else drawn.lines)
    assert texts[0] != texts[1]
    assert all(len(row) < 100 for text in texts for row in text.splitlines())
    assert any("⠀" < letter <= "⣿" or letter == "▓" for letter in texts[0])


def test_a_kind_without_a_picture_has_none() -> None:
    assert picture("music", ACTIVATIONS["relu"]) is None


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_every_technique_says_its_weakness_in_both_languages(kind: str, name: str) -> None:
    found = weakness(kind, KINDS[kind][name])
    assert found is not None
    assert found.en.endswith(".")
    assert found.ja.endswith("。")


def test_a_weakness_that_nobody_translated_is_said_in_english_and_none_is_none() -> None:
    def own(x: float) -> float:
        """Doubles. Weakness: grows."""
        return 2 * x

    assert weakness("activation", Technique(own, "own", Words("", ""), "", "")) == ("Grows.", "Grows.")
    assert weakness("activation", Technique(abs, "own", Words("", ""), "", "")) is None


def test_a_weakness_ends_with_its_paragraph() -> None:
    def own(x: float) -> float:
        """Doubles. Weakness: grows,
        and grows.

        Addition is faster.
        """
        return 2 * x

    assert weakness("activation", Technique(own, "own", Words("", ""), "", "")) == ("Grows, and grows.", "Grows, and grows.")


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_what_is_written_in_a_trial_reads_back_as_the_technique(kind: str, name: str) -> None:
    trial = Trial(**tomllib.loads(written(kind, KINDS[kind][name])))
    if kind in Trial.model_fields and kind != name:
        choice = getattr(trial, kind)
        assert (choice.name, choice.numbers) == (name, KINDS[kind][name].defaults())
    else:
        assert trial.compact()


def test_every_kind_has_an_example() -> None:
    assert WRITTEN.keys() == KINDS.keys() == KIND_WORDS.keys()
    for example in WRITTEN.values():
        assert Trial(**tomllib.loads(example))


def test_an_activation_is_drawn_with_its_slope() -> None:
    drawn = picture("activation", ACTIVATIONS["sigmoid"])
    assert drawn is not None
    f, slope = drawn.lines
    s = 1 / (1 + np.exp(-f.x))
    np.testing.assert_allclose(f.y, s, rtol=1e-12)
    np.testing.assert_allclose(slope.y, s * (1 - s), rtol=1e-12)
    assert slope.y.max() == 0.25


def test_an_activation_without_a_backward_is_drawn_through_autograd() -> None:
    import torch

    @activation("cubed", formula="x^3", about=Words("", ""))
    def cubed(x: torch.Tensor) -> torch.Tensor:
        """``x^3``."""
        return x**3

    try:
        y, slope = values(cubed, torch.tensor([-1.0, 2.0], dtype=torch.float64))
        assert y.tolist() == [-1.0, 8.0]
        assert slope.tolist() == [3.0, 12.0]
    finally:
        del ACTIVATIONS["cubed"]


def test_he_keeps_the_spread_under_relu_and_small_weights_lose_it() -> None:
    spreads = {}
    for name in ("he", "normal"):
        drawn = picture("initializer", INITIALIZERS[name])
        assert drawn is not None
        spreads[name] = {line.name.en: line.y for line in drawn.lines}
    assert 0.4 < spreads["he"]["relu"][-1] / spreads["he"]["relu"][1] < 2
    # each layer of N(0, 0.01) on 100 units takes tanh's signals to a tenth
    np.testing.assert_allclose(spreads["normal"]["tanh"][1:] / spreads["normal"]["tanh"][:-1], 0.1, rtol=0.1)


def test_gradient_descent_is_drawn_as_it_goes_down_the_valley() -> None:
    drawn = picture("optimizer", OPTIMIZERS["sgd"])
    assert drawn is not None
    (line,) = drawn.lines
    x, y = -7 * (1 - 0.95 * 0.1) ** line.x, 2 * (1 - 0.95 * 2) ** line.x
    np.testing.assert_allclose(line.y, x**2 / 20 + y**2, rtol=1e-9)
    assert drawn.log


def test_a_schedule_is_drawn_over_the_training() -> None:
    drawn = picture("schedule", SCHEDULES["step"])
    assert drawn is not None
    (line,) = drawn.lines
    np.testing.assert_allclose(line.y, np.where(line.x < 1000, 1, 0.1))


def test_penalties_are_drawn_with_their_pull() -> None:
    wanted = {"l1": np.abs, "l2": lambda w: w**2 / 2, "lp": lambda w: (np.sqrt(w**2 + 1) - 1) / 2}
    for name, value in wanted.items():
        drawn = picture("penalty", PENALTIES[name])
        assert drawn is not None
        np.testing.assert_allclose(drawn.lines[0].y, value(drawn.lines[0].x), atol=0.006)  # a step of the drawing at the kink


def test_batch_normalization_is_drawn_before_and_after() -> None:
    drawn = picture("normalization", KINDS["normalization"]["batch_norm"])
    assert drawn is not None
    before, after = drawn.lines
    for line, mean, spread in ((before, 3, 2), (after, 0, 1)):
        middle = np.average(line.x, weights=line.y)
        assert middle == pytest.approx(mean, abs=0.15)
        assert np.sqrt(np.average((line.x - middle) ** 2, weights=line.y)) == pytest.approx(spread, rel=0.05)


def test_dropout_is_drawn_as_a_mask() -> None:
    drawn = picture("dropout", KINDS["dropout"]["dropout"])
    assert drawn is not None
    mask, mean = drawn.lines
    assert set(mask.y) == {0.0, 1.25}
    assert mask.points
    assert set(mean.y) == {mask.y.mean()}


def test_the_edge_filter_is_drawn_at_work_as_pytorch_has_it() -> None:
    import torch
    from sklearn.datasets import load_digits

    drawn = picture("convolution", KINDS["convolution"]["conv"])
    assert isinstance(drawn, Maps)
    image, around, edges, same, valid, halved, counts = (one.values for one in drawn.maps)
    np.testing.assert_allclose(image, load_digits().images[0] / 16)
    np.testing.assert_allclose(around, np.pad(image, 1))
    x, weight = torch.from_numpy(image)[None, None], torch.from_numpy(edges)[None, None]
    for found, how in ((same, {"padding": 1}), (valid, {}), (halved, {"stride": 2, "padding": 1})):
        np.testing.assert_allclose(found, torch.nn.functional.conv2d(x, weight, **how)[0, 0], atol=1e-12)  # type: ignore[arg-type]
    once = np.array([1, 2, 3, 3, 3, 3, 2, 1])  # of the six places of a window of three over eight pixels
    np.testing.assert_array_equal(counts, np.outer(once, once))
    assert "RGB" in drawn.notes[-1].en and "RGB" in drawn.notes[-1].ja


@pytest.mark.parametrize(("name", "keep"), [("maxpool", np.max), ("avgpool", np.mean)])
def test_pooling_is_drawn_by_its_windows(name: str, keep: Any) -> None:
    drawn = picture("pooling", KINDS["pooling"][name])
    assert isinstance(drawn, Maps)
    image, pooled, moved, again = (one.values for one in drawn.maps)
    for before, after in ((image, pooled), (moved, again)):
        np.testing.assert_allclose(after, keep(before.reshape(4, 2, 4, 2), axis=(1, 3)))
    np.testing.assert_array_equal(moved[:, 1:], image[:, :-1])


def test_pixels_are_two_letters_wide_from_dark_to_bright() -> None:
    assert spelled(Map(Words("", ""), np.array([[0.0, 0.5], [1.0, 0.25]]))) == ["  ▒▒", "██░░"]
    assert spelled(Map(Words("", ""), np.ones((1, 2)))) == ["    "]
    assert spelled(Map(Words("", ""), np.array([[1.0, -9.0]]), counts=True)) == ["  1 -9"]


def test_a_figure_file_opens_without_a_network(tmp_path: Path) -> None:
    with speaking("ja"):
        drawn = [picture("activation", ACTIVATIONS[name]) for name in ("relu", "tanh")]
        path = write(tmp_path / "deep" / "two.html", [one for one in drawn if one])
    page = path.read_text(encoding="utf-8")
    assert page.startswith('<!doctype html>\n<html lang="ja">')
    assert not re.search(r'<(?:script|link)[^>]+(?:src|href)="http', page)
    assert page.count('class="plotly-graph-div"') == 2
    assert json.dumps("relu とその傾き") in page or "relu とその傾き" in page
    assert [one.name for one in path.parent.iterdir()] == ["two.html"]


def test_a_figure_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    drawn = picture("activation", ACTIVATIONS["relu"])
    assert drawn is not None
    (tmp_path / "file").write_text("")
    for path, pictures in ((tmp_path, [drawn]), (tmp_path / "file" / "x.html", [drawn]), (tmp_path / "x.html", [])):
        with pytest.raises(UserError):
            write(path, pictures)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_braille_places_its_dots_by_hand() -> None:
    x = np.array([0.0, 1.0])
    assert canvas([(x, x, False)], 2, 1, (0, 1, 0, 1)) == ["⡠⠊"]  # the diagonal of 4 by 4 dots
    assert canvas([(x, 0 * x, False)], 2, 1, (0, 1, 0, 1)) == ["⣀⣀"]
    assert canvas([(x, 0 * x + 1, False)], 2, 1, (0, 1, 0, 1)) == ["⠉⠉"]
    assert canvas([(0 * x, x, False)], 2, 1, (0, 1, 0, 1)) == ["⡇ "]
    assert canvas([(x[:1], x[1:], True)], 1, 1, (0, 1, 0, 1)) == ["⠛"]


def test_braille_leaves_out_what_is_outside_or_no_number() -> None:
    x = np.array([0.0, 1.0, 2.0, 3.0])
    drawn = canvas([(x, np.array([np.nan, 5.0, np.inf, -7.0]), False), (x, np.full(4, 9.0), True)], 4, 2, (0, 3, 0, 1))
    assert drawn == ["    ", "    "]
    assert canvas([(np.zeros(0), np.zeros(0), False)], 1, 1, (0, 1, 0, 1)) == [" "]
    assert canvas([(np.zeros(1), np.zeros(1), False)], 1, 1, (0, 1, 0, 1)) == ["⡀"]


def test_a_flat_or_logarithmic_picture_has_honest_ends() -> None:
    x = np.array([0.0, 1.0])
    flat = as_text(Picture(Words("flat", "平ら"), Words("x", "x"), Words("y", "y"), (Line(Words("a", "a"), x, x * 0 + 1),)))
    assert flat.splitlines()[1].startswith("1.5 ┤")
    log = Picture(
        Words("log", "対数"), Words("x", "x"), Words("y", "y"), (Line(Words("a", "a"), x, np.array([100.0, 0.01])),), log=True
    )
    assert [row.split()[0] for row in as_text(log).splitlines() if "┤" in row][::13] == ["100", "0.01"]
