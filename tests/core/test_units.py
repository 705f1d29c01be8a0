"""Amounts: what is accepted, and that nothing that is not a finite positive amount ever is."""

from collections.abc import Callable

import pytest
from aisbx.errors import UsageError
from aisbx.units import (
    MAX_BYTES,
    MAX_SECONDS,
    format_duration,
    format_size,
    parse_cores,
    parse_count,
    parse_duration,
    parse_size,
)
from hypothesis import given
from hypothesis import strategies as st

PARSERS = (parse_duration, parse_size, parse_count, parse_cores)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30),
        ("30s", 30),
        ("1.5", 1.5),
        ("5m", 300),
        ("1h30m", 5400),
        ("1h30m15s", 5415),
        ("500ms", 0.5),
        ("2d", 172800),
        ("0.5h", 1800),
        ("1H", 3600),
    ],
)
def test_a_duration_is_given_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("100", 100),
        ("100b", 100),
        ("64K", 65536),
        ("512M", 512 << 20),
        ("512m", 512 << 20),
        ("512MB", 512 << 20),
        ("512MiB", 512 << 20),
        ("1.5G", 3 << 29),
        ("2T", 2 << 40),
        (str(MAX_BYTES), MAX_BYTES),
    ],
)
def test_a_size_is_given_in_bytes_and_letters_are_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_counts_and_cores_are_numbers() -> None:
    assert parse_count("64") == 64
    assert parse_cores("0.5") == 0.5
    assert parse_cores("2") == 2


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "0",
        "0.0",
        "-1",
        "+1",
        "nan",
        "inf",
        "1e3",
        "1_000",
        "0x10",
        " 1",
        "1 ",
        "1\n",
        "1\0",
        ".",
        "1.",
        ".5",
        "1..5",
        "1.5.2",
        "٣",
        "¹",
        "M",
        "1x",
        "1M1",
        "9" * 31,
        "9" * 5000,
    ],
)
def test_what_is_no_finite_positive_amount_is_refused_with_a_hint(parse: Callable[..., float], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, name="--it")
    assert caught.value.message.startswith("--it: ")
    assert len(caught.value.message) < 100
    assert caught.value.hint


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_duration, "1h1h"),
        (parse_duration, "30m1h"),
        (parse_duration, "1h-5m"),
        (parse_duration, "1w"),
        (parse_duration, "1h 5m"),
        (parse_duration, "40000d"),
        (parse_size, "8388608T"),
        (parse_size, str(MAX_BYTES + 1)),
        (parse_size, "0.5"),
        (parse_size, "1GG"),
        (parse_size, "1G5M"),
        (parse_count, "1.5"),
        (parse_count, "5000000"),
        (parse_cores, "70000"),
    ],
)
def test_a_misspelt_or_overflowing_amount_is_refused(parse: Callable[..., float], text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


@given(st.text(max_size=40))
def test_any_text_gives_an_amount_in_range_or_a_usage_error(text: str) -> None:
    for parse, most in ((parse_duration, MAX_SECONDS), (parse_size, MAX_BYTES)):
        try:
            amount = parse(text)
        except UsageError:
            continue
        assert 0 < amount <= most


@given(st.integers(min_value=1, max_value=MAX_BYTES))
def test_whole_bytes_keep_every_bit(size: int) -> None:
    assert parse_size(str(size)) == size


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "0.25s"), (30, "30s"), (90, "1m30s"), (5400, "1h30m"), (90000, "1d1h")]
)
def test_a_duration_is_written_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(("size", "text"), [(100, "100"), (65536, "64K"), (3 << 29, "1.5G"), (1 << 42, "4T")])
def test_a_size_is_written_for_people(size: int, text: str) -> None:
    assert format_size(size) == text
    assert parse_size(text) == size
