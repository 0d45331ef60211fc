"""What is told of several rounds is what they have in common, and not how busy the machine was."""

import pytest

from benchmarks.figures import Figure, figure, percentile, ratio


def test_one_round_that_was_disturbed_moves_the_spread_and_not_the_median() -> None:
    assert figure([10, 11, 10, 90, 11]) == Figure(11, 10, 90)


def test_a_ratio_is_taken_within_each_round() -> None:
    """A machine that is three times slower in one of them makes no difference."""
    assert ratio([20, 60, 22], [10, 30, 11]) == Figure(2, 2, 2)


def test_rounds_that_do_not_belong_together_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio([1, 2], [1])


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (95, 95), (99, 99), (99.5, 100), (100, 100), (0, 1)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, value: int) -> None:
    assert percentile(range(100, 0, -1), percent) == value


def test_of_one_value_each_percentile_is_that_one() -> None:
    assert {percentile([7], percent) for percent in (1, 50, 99)} == {7}
