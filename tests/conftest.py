"""Options and places that tests of several rooms share."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A shared machine makes one example slow now and then; no test asserts a time.
# One tree gives one answer in CI; elsewhere every run looks at other examples.
settings.register_profile(
    "flowdiag",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("flowdiag")

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Where Python may not keep bytecode beside the sources, the commands that tests start keep it in pytest's cache.

    Hundreds of them would else compile all they import again, which is two thirds of what a short one takes.
    """
    if os.environ.get("PYTHONDONTWRITEBYTECODE") and hasattr(config, "cache"):
        del os.environ["PYTHONDONTWRITEBYTECODE"]
        os.environ["PYTHONPYCACHEPREFIX"] = str(config.cache.mkdir("bytecode"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Goldens are rewritten on request, never by accident."""
    parser.addoption(
        "--update-goldens",
        action="store_true",
        default=False,
        help="write what the parsers yield now into fixtures/parsers/*/*/expected.jsonl",
    )


@pytest.fixture
def update_goldens(request: pytest.FixtureRequest) -> bool:
    """Whether goldens are to be rewritten."""
    return bool(request.config.getoption("--update-goldens"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference samples beside the repository; a test that needs it is skipped without."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the samples beside the repository are not here")
    return folder


@pytest.fixture(scope="session")
def parquet() -> Any:
    """What reads Parquet back; large, so that only ``make test`` installs it."""
    return pytest.importorskip(
        "pyarrow.parquet", reason="pyarrow is not installed: make test takes it (group parquet)"
    )


@pytest.fixture
def never_endless() -> Iterator[Callable[[float], None]]:
    """Break off what takes 20 s of processor time; with an argument, so many seconds.

    For texts of which what goes wrong makes hours: what takes milliseconds otherwise is not measured by it.
    """

    def give_up(*_: object) -> None:
        raise TimeoutError("this does not come to an end")

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, 20)
    yield lambda seconds: signal.setitimer(signal.ITIMER_VIRTUAL, seconds) and None
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)
