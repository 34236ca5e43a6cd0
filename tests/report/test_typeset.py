"""Formulas in plain Unicode: by hand, and over every technique."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koubai.report.typeset import plain
from koubai.techniques import KINDS


@pytest.mark.parametrize(
    ("latex", "want"),
    [
        (r"\frac{1}{1 + e^{-x}}", "1 / (1 + e⁻ˣ)"),
        (r"V_t = \mu V_{t-1} - \varepsilon g,\quad w \leftarrow w + V_t", "Vₜ = μ Vₜ₋₁ - ε g,  w ← w + Vₜ"),
        (r"\frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}", "m̂ₜ / (√v̂ₜ + ϵ)"),
        (r"\mathcal{N}(0, 1)\,\sqrt{2 / n_{in}}", "N(0, 1) √(2 / nᵢₙ)"),
        (r"\frac{\lambda}{2} \sum w^2", "λ/2 Σ w²"),
        (r"1 \text{ if } x > 0 \text{ else } 0", "1 if x > 0 else 0"),
        (r"\tfrac12 x", "½ x"),
        (r"\cos \frac{a}{b}", "cos (a/b)"),
        (r"\gamma^{\lfloor t / s \rfloor}", "γ^(⌊ t / s ⌋)"),
        (r"\|w\|_p", "‖w‖ₚ"),
        (r"Q^\top Q", "Qᵀ Q"),
        (r"x^{12}_{i}", "x¹²ᵢ"),
        (r"\frac{1}{F^2}\sum_{u,v} x", "1/F² Σ_(u,v) x"),
        (r"\mystery{x}", "mysteryx"),
        ("x^", "x^()"),
        (r"\frac{1}", "1 / ()"),
        ("", ""),
    ],
)
def test_by_hand(latex: str, want: str) -> None:
    assert plain(latex) == want


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, members in KINDS.items() for name in members])
def test_no_latex_is_left_in_any_formula(kind: str, name: str) -> None:
    technique = KINDS[kind][name]
    for formula in (technique.formula, getattr(technique, "derivative", "")):
        text = plain(formula)
        assert not set(text) & set("\\{}$")
        assert "  " not in text.replace(",  ", "")
        assert text.count("(") == text.count(")")


@given(st.text(alphabet="\\{}^_ abfrct1+,", max_size=30))
def test_whatever_comes_in_something_comes_out(latex: str) -> None:
    assert isinstance(plain(latex), str)
