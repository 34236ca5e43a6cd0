"""Formulas in MathML: by hand, and over every technique."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koubai.report.mathml import math, parts
from koubai.techniques import KINDS

CHILDREN = {"mfrac": 2, "msup": 2, "msub": 2, "msubsup": 3, "munder": 2, "mover": 2, "munderover": 3}


def row(formula: str) -> str:
    """What stands inside a formula's row."""
    return math(formula).partition("<mrow>")[2].removesuffix("</mrow></math>")


@pytest.mark.parametrize(
    ("latex", "want"),
    [
        ("x^2", "<msup><mi>x</mi><mn>2</mn></msup>"),
        (r"w_i^{12}", "<msubsup><mi>w</mi><mi>i</mi><mn>12</mn></msubsup>"),
        (r"\tfrac12", "<mfrac><mn>1</mn><mn>2</mn></mfrac>"),
        ("0.3 x", "<mn>0.3</mn><mi>x</mi>"),
        (r"\hat m_t", '<msub><mover accent="true"><mi>m</mi><mo stretchy="false">^</mo></mover><mi>t</mi></msub>'),
        (r"\sum_u x", "<munder><mo>∑</mo><mi>u</mi></munder><mi>x</mi>"),
        (r"x \text{ if } y", "<mi>x</mi><mtext>\u00a0if\u00a0</mtext><mi>y</mi>"),
        (r"\gamma - a < b", "<mi>γ</mi><mo>−</mo><mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
        ("(x)^2", '<mo stretchy="false">(</mo><mi>x</mi><msup><mo stretchy="false">)</mo><mn>2</mn></msup>'),
        (r"\left(x\right)", "<mo>(</mo><mi>x</mi><mo>)</mo>"),
        ("x^", "<msup><mi>x</mi><mrow></mrow></msup>"),
        ("", ""),
    ],
)
def test_by_hand(latex: str, want: str) -> None:
    assert row(latex) == want


FORMULAS = [(kind, name) for kind, members in KINDS.items() for name in members]


@pytest.mark.parametrize(("kind", "name"), FORMULAS)
def test_every_formula_is_well_formed(kind: str, name: str) -> None:
    for part in parts(KINDS[kind][name].formula):
        made = math(part)
        assert "\\" not in made
        for element in ElementTree.fromstring(made).iter():
            assert len(element) == CHILDREN.get(element.tag, len(element)), part


@given(st.text(alphabet="\\{}^_abx12 frcsqt<>&\"',", max_size=30))
def test_whatever_is_typed_gives_elements_and_no_others(text: str) -> None:
    for element in ElementTree.fromstring(math(text)).iter():
        assert element.tag in {*CHILDREN, "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "msqrt"}


def test_a_formula_is_taken_apart_behind_its_commas() -> None:
    assert parts(r"h_0 = \theta,\quad h_t = h_{t-1} + g^2") == [r"h_0 = \theta,", "h_t = h_{t-1} + g^2"]
    assert parts("x") == ["x"]
