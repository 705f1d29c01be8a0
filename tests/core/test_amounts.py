import pytest
from aisbx import amounts
from aisbx.types import LIMITS


def test_every_limit_has_a_way_to_be_written() -> None:
    assert {name for name in LIMITS if amounts.parse(name, 1) == 1.0} == set(LIMITS)


@pytest.mark.parametrize(
    ("name", "written", "amount"),
    [("memory", "1.5G", 1.5 * 1024**3), ("memory", 512, 512.0), ("wall_time", "1h30m", 5400.0), ("cpus", 0.5, 0.5)],
)
def test_amounts_come_in_the_units_of_the_limits(name: str, written: amounts.Written, amount: float) -> None:
    assert amounts.parse(name, written) == amount


@pytest.mark.parametrize("name", [name for name in LIMITS if name != "core"])
@pytest.mark.parametrize("written", [0, "0", -1, float("nan"), float("inf"), "", "much"])
def test_what_could_mean_no_limit_is_refused(name: str, written: amounts.Written) -> None:
    with pytest.raises(ValueError, match="; "):
        amounts.parse(name, written)


def test_no_core_file_is_an_amount() -> None:
    assert amounts.parse("core", 0) == 0.0
