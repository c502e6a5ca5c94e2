"""Quantities: reading, writing, computing, and what is said about mistakes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowrules.model.quantity import Quantity, QuantityError, parse_quantity


@pytest.mark.parametrize(
    ("text", "amount", "kind", "written"),
    [
        ("16GB", 16 * 10**9, "bytes", "16GB"),
        ("1.5GiB", 3 * 2**29, "bytes", "1.5GiB"),
        ("500kB", 500_000, "bytes", "500kB"),
        ("500KB", 500_000, "bytes", "500kB"),
        ("100B", 100, "bytes", "100B"),
        ("1024B", 1024, "bytes", "1KiB"),
        ("16 GB", 16 * 10**9, "bytes", "16GB"),
        ("20min", 1200, "seconds", "20min"),
        ("20m", 1200, "seconds", "20min"),
        ("1h30m", 5400, "seconds", "1h30min"),
        ("1h 30min", 5400, "seconds", "1h30min"),
        ("2d", 172800, "seconds", "2d"),
        ("0.25s", 0.25, "seconds", "0.25s"),
        ("250ms", 0.25, "seconds", "0.25s"),
        ("2000ms", 2, "seconds", "2s"),
        ("00:20:00", 1200, "seconds", "20min"),
        ("1-02:00:00", 93600, "seconds", "1d2h"),
        ("100:00:00", 360000, "seconds", "4d4h"),
        ("0s", 0, "seconds", "0s"),
        ("0GB", 0, "bytes", "0B"),
    ],
)
def test_reads_and_writes(text, amount, kind, written):
    quantity = parse_quantity(text)
    assert quantity == Quantity(amount, kind)
    assert str(quantity) == written
    assert type(quantity.amount) is type(amount)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("16Gb", "did you mean `GB`?"),
        ("20mins", "did you mean `min`?"),
        ("16GBs", "did you mean `GB`?"),
        ("16G", "did you mean `GB` or `GiB`?"),
        ("3hours", "did you mean `h`?"),
        ("3parsec", "known are `EB`"),
        ("16", "has no unit"),
        ("", "is no quantity"),
        ("GB", "is no quantity"),
        ("1GB500MB", "mixes units"),
        ("30min1h", "from large to small"),
        ("1h1h", "from large to small"),
        ("1.5h30min", "only the last number"),
        ("20:00", "hours:minutes:seconds"),
        ("00:99:00", "up to 59"),
        ("9" * 5000 + "GB", "is no quantity"),
        ("9" * 399 + "GB", "too large"),
        ("1e3GB", "does not exist"),
    ],
)
def test_says_what_is_wrong(text, part):
    with pytest.raises(QuantityError) as caught:
        parse_quantity(text)
    assert part in str(caught.value)


def test_arithmetic():
    gb, minute = parse_quantity("1GB"), parse_quantity("1min")
    assert 16 * gb == gb * 16 == parse_quantity("16GB")
    assert gb * 1.5 == parse_quantity("1.5GB")
    assert gb + gb - gb == gb
    assert gb / gb == 1
    assert parse_quantity("3GB") // gb == 3
    assert parse_quantity("3GB") % (2 * gb) == gb
    assert parse_quantity("3GB") / 3 == gb
    assert parse_quantity("3GB") // 2 == parse_quantity("1.5GB")
    assert -minute < minute <= minute
    assert gb > 0
    assert gb != minute
    assert not parse_quantity("0B")


@pytest.mark.parametrize(
    "bad",
    [
        lambda gb, minute: gb + minute,
        lambda gb, minute: gb + 1,
        lambda gb, minute: 1 - gb,
        lambda gb, minute: gb * gb,
        lambda gb, minute: 1 / gb,
        lambda gb, minute: 1 // gb,
        lambda gb, minute: 1 % gb,
        lambda gb, minute: gb < minute,
        lambda gb, minute: gb < 5,
        lambda gb, minute: gb * "2",
        lambda gb, minute: gb * True,
        lambda gb, minute: gb / 0,
        lambda gb, minute: gb % 0,
        lambda gb, minute: gb * 10**4000,
        lambda gb, minute: gb * 1e308,
        lambda gb, minute: gb * float("nan"),
    ],
)
def test_bad_mixes(bad):
    with pytest.raises(QuantityError):
        bad(parse_quantity("1GB"), parse_quantity("1min"))


def test_rounds_up_to_a_unit():
    assert parse_quantity("16GB").to("MiB") == 15259
    assert parse_quantity("1GiB").to("MiB") == 1024
    assert parse_quantity("90s").to("min") == 2
    assert parse_quantity("0.25s").to("ms") == 250
    with pytest.raises(QuantityError, match="is an amount of memory"):
        parse_quantity("16GB").to("min")


numbers = st.one_of(st.integers(-(10**20), 10**20), st.floats(-1e20, 1e20))


@given(numbers, st.sampled_from(["bytes", "seconds"]))
def test_what_is_written_reads_back(amount, kind):
    quantity = Quantity(amount, kind)
    assert parse_quantity(str(quantity)) == quantity


@given(numbers, st.sampled_from(["kB", "MiB", "GB", "B"]))
def test_rounding_up_is_never_less_and_never_by_a_whole_unit(amount, unit):
    quantity = Quantity(amount, "bytes")
    one = parse_quantity("1" + unit).amount
    from fractions import Fraction

    assert 0 <= quantity.to(unit) * one - Fraction(quantity.amount) < one
