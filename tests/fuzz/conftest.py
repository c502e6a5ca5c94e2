"""Memory of every fuzzer is bounded, and how many cases there were is told."""

import resource
from collections.abc import Iterator

import pytest

MOST = 700_000
"""kB by which a fuzzer may raise the most memory its process ever had; they take a tenth of that."""


@pytest.fixture(autouse=True)
def bounded_memory() -> Iterator[None]:
    """No case takes memory without bound."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < MOST, f"a case raised the memory of the process by {grown:,} kB"
