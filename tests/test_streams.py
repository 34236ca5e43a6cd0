"""Random streams: decided by seed, purpose and part, unlike each other, fair, and away from every global state."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from scipy import stats

from koubai.streams import generator

KEYS = st.tuples(
    st.integers(0, 2**63 - 1), st.sampled_from(["minibatches", "weights", "dropout", "starts"]), st.integers(0, 1000)
)
COUNT = 100_000


def draws(seed: int, purpose: str, part: int = 0, count: int = 8) -> list[float]:
    return torch.rand(count, dtype=torch.float64, generator=generator(seed, purpose, part)).tolist()


@given(KEYS)
def test_a_stream_is_decided_by_its_seed_purpose_and_part(key: tuple[int, str, int]) -> None:
    want = draws(*key)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key[2])
        assert draws(*key) == want, "whatever the global state is, and however often it is asked for"
    one, other = generator(*key), generator(*key)
    torch.rand(3, generator=one)
    assert torch.rand(8, dtype=torch.float64, generator=other).tolist() == want, "each caller has its own"


@given(KEYS, KEYS)
def test_two_streams_are_alike_only_where_all_three_are(one: tuple[int, str, int], other: tuple[int, str, int]) -> None:
    assert (draws(*one) == draws(*other)) == (one == other)


def test_neighbouring_streams_are_distinct() -> None:
    """Also seed 1, part 11 and seed 11, part 1; and a part is 0 where none is given."""
    keys = list(itertools.product(range(25), ["minibatches", "weights", "dropout", "dropout 1"], range(25)))
    assert len({generator(*key).initial_seed() for key in keys}) == len(keys)
    assert draws(5, "weights") == draws(5, "weights", 0) != draws(5, "weights", 1)


@pytest.mark.slow
def test_a_stream_is_the_same_in_every_process() -> None:
    drawn = "torch.rand(4, dtype=torch.float64, generator=generator(7, 'weights', 3)).tolist()"
    code = f"import torch; from koubai.streams import generator; print({drawn})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(draws(7, "weights", 3, 4))


def test_global_states_are_untouched(untouched: None) -> None:
    for draw in (torch.rand, torch.randn):
        draw(10, generator=generator(0, "weights"))
    torch.randperm(10, generator=generator(0, "minibatches"))


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_uniform_and_normal_draws_by_moments_and_distribution(seed: int) -> None:
    """Within four standard errors; Kolmogorov and Smirnov's test would find the fault of one draw in fifty."""
    uniform = torch.rand(COUNT, dtype=torch.float64, generator=generator(seed, "dropout")).numpy()
    normal = torch.randn(COUNT, dtype=torch.float64, generator=generator(seed, "weights")).numpy()
    assert uniform.min() >= 0 and uniform.max() < 1
    assert uniform.mean() == pytest.approx(0.5, abs=4 / math.sqrt(12 * COUNT))
    assert uniform.var() == pytest.approx(1 / 12, abs=4 / math.sqrt(180 * COUNT))
    for power, moment, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert (normal**power).mean() == pytest.approx(moment, abs=4 * math.sqrt(spread / COUNT))
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3
    assert stats.kstest(normal, "norm").pvalue > 1e-3


def test_streams_of_neighbouring_seeds_purposes_and_parts_are_independent() -> None:
    """Correlations of 10,000 draws: 190 pairs of 20 streams, none beyond four and a half standard errors."""
    keys = [(seed, purpose, part) for seed in range(5) for purpose in ("weights", "dropout") for part in range(2)]
    table = np.array([torch.randn(10_000, dtype=torch.float64, generator=generator(*key)).numpy() for key in keys])
    correlations = np.corrcoef(table)[np.triu_indices(len(keys), 1)]
    assert np.abs(correlations).max() < 4.5 / 100
