"""Golden files: text that a test makes is compared with a file, which `--bless` writes anew. Real hosts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from real_hosts import Hosts, missing

# how long an example takes is a matter of what else runs
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="write golden files anew instead of comparing with them")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compares a text with a golden file; with `--bless` the file becomes the text."""

    def check(path: Path, text: str) -> None:
        if request.config.getoption("--bless"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        wanted = path.read_text(encoding="utf-8") if path.exists() else ""
        assert text == wanted, f"{path} differs; look at it, then run pytest with --bless"

    return check


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Three hosts with a real sshd each, in namespaces."""
    why = missing()
    if why:
        pytest.skip(f"no hosts for tests: {why}")
    made = Hosts(tmp_path_factory.mktemp("hosts"), 3)
    yield made
    made.close()
