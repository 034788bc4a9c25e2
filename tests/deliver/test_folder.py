"""Reports in a folder: names, the latest, retention, and what is not ours."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from flowdiag.deliver.files import CannotWriteError
from flowdiag.deliver.folder import Retention, outdated, put_reports
from flowdiag.deliver.places import LocalPlace, place_of
from flowdiag.history import History
from flowdiag.model.time import NS, rfc3339

DAY = 86_400 * NS
START = 1_780_000_000 * NS


def at(day):
    return rfc3339(START + day * DAY)


@pytest.fixture
def ledger(tmp_path):
    with History(tmp_path / "history.db") as history:
        yield history


def put(place, ledger, run, *, runs=None, days=None, data=b"report", formats=("json", "md")):
    return put_reports(
        place,
        ledger,
        run=run,
        at=at(run),
        files={ending: data + str(run).encode() for ending in formats},
        retention=Retention(runs=runs, age_ns=None if days is None else days * DAY),
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["local", "remote"])
def place(request, tmp_path):
    """The same folder on disk and through fsspec, whose local file system is as real as any."""
    folder = tmp_path / "reports"
    if request.param == "local":
        return place_of(str(folder)), folder
    pytest.importorskip("fsspec")
    return place_of(folder.as_uri()), folder


def test_files_are_named_by_time_and_run_and_the_latest_has_a_name_of_its_own(place, ledger):
    """They sort by time; latest.* is what the last run wrote."""
    where, folder = place

    assert put(where, ledger, 1) == put(where, ledger, 2) == []

    assert names(folder) == [
        "flowdiag-20260529T202640Z-run1.json",
        "flowdiag-20260529T202640Z-run1.md",
        "flowdiag-20260530T202640Z-run2.json",
        "flowdiag-20260530T202640Z-run2.md",
        "latest.json",
        "latest.md",
    ]
    assert (folder / "latest.json").read_bytes() == b"report2"
    if isinstance(where, LocalPlace):
        assert (folder / "latest.json").is_symlink()


def test_retention_by_count_and_by_age(place, ledger):
    """Both limits hold; the last run's reports stay whatever they say."""
    where, folder = place
    for run in range(1, 8):
        put(where, ledger, run, runs=3)
    assert {name.partition("run")[2] for name in names(folder)} == {
        "",
        *(f"{r}.{e}" for r in (5, 6, 7) for e in ("json", "md")),
    }

    put(where, ledger, 9, days=2)
    assert {name.partition("run")[2] for name in names(folder)} == {
        "",
        *(f"{r}.{e}" for r in (7, 9) for e in ("json", "md")),
    }

    put(where, ledger, 400, days=1, runs=1)
    assert len([name for name in names(folder) if "run" in name]) == 2
    assert (folder / "latest.md").read_bytes() == b"report400"


def test_what_was_not_written_here_is_never_deleted_nor_replaced(place, ledger):
    """Files of like names, and files of ours that somebody changed, are left alone, and that is said."""
    where, folder = place
    put(where, ledger, 1)
    strangers = {
        "flowdiag-20260101T000000Z-run0.json": b"theirs",
        "flowdiag-20260601T202640Z-run4.json": b"theirs too",
        "notes.txt": b"notes",
    }
    for name, data in strangers.items():
        (folder / name).write_bytes(data)
    (folder / "flowdiag-20260529T202640Z-run1.json").write_bytes(b"edited")

    said = [*put(where, ledger, 3, runs=1), *put(where, ledger, 4, runs=1), *put(where, ledger, 5, runs=1)]

    assert {name: (folder / name).read_bytes() for name in strangers} == strangers
    assert (folder / "flowdiag-20260529T202640Z-run1.json").read_bytes() == b"edited"
    assert not (folder / "flowdiag-20260529T202640Z-run1.md").exists()
    assert [text.partition(": ")[2][:14] for text in said] == ["changed since ", "there is anoth"]


def test_somebodys_latest_is_left_alone(place, ledger):
    """A file or link called latest.json that is not ours stays what it is."""
    where, folder = place
    (folder / "latest.json").write_bytes(b"theirs")
    (folder / "elsewhere.md").write_bytes(b"x")
    (folder / "latest.md").symlink_to("elsewhere.md")

    said = put(where, ledger, 1)

    assert (folder / "latest.json").read_bytes() == b"theirs"
    assert (folder / "elsewhere.md").read_bytes() == b"x"
    assert len(said) == 2


def test_an_older_run_that_ends_later_does_not_take_the_latest_back(place, ledger):
    """Two runs at once: the later one is the latest, in whatever order they finish."""
    where, folder = place
    put(where, ledger, 6)
    put(where, ledger, 5)

    assert (folder / "latest.json").read_bytes() == b"report6"


def test_a_file_is_noted_before_it_is_written(tmp_path, ledger):
    """A kill between the two leaves a note without a file, which retention passes over."""
    where = LocalPlace(tmp_path / "reports")
    ledger.note_written(where.key, 1, [("flowdiag-20260529T202640Z-run1.json", "0" * 64)], at(1))

    assert put(where, ledger, 2, runs=1) == []
    assert {name for _, name, *_ in ledger.written(where.key)} == {
        "flowdiag-20260530T202640Z-run2.json",
        "flowdiag-20260530T202640Z-run2.md",
    }


ROWS = st.lists(
    st.tuples(st.integers(1, 30), st.sampled_from(["json", "md"]), st.integers(0, 400)),
    min_size=1,
    unique_by=lambda row: row[:2],
)


@given(ROWS, st.none() | st.integers(0, 5), st.none() | st.integers(0, 500), st.integers(0, 1000))
def test_retention_never_takes_the_latest_run_and_never_a_link(rows, runs, days, now):
    """Whatever the limits and however wrong the clocks: the last run's files and latest.* stay."""
    noted = [(run, f"flowdiag-run{run}.{ending}", at(day), "") for run, ending, day in rows]
    noted += [(max(row[0] for row in rows), f"latest.{ending}", at(0), "") for ending in ("json", "md")]
    retention = Retention(runs=runs, age_ns=None if days is None else days * DAY)

    taken = {name for name, _ in outdated(noted, at(now), retention)}

    last = max(run for run, *_ in rows)
    assert not {name for run, name, *_ in noted if run == last} & taken
    left = {run for run, name, *_ in noted if name not in taken and name.startswith("flowdiag")}
    if runs is not None:
        assert len(left) <= max(runs, 1)
    if runs is None and days is None:
        assert not taken
    # A run goes as a whole, by count; by age its files may have other times only in this test.
    if days is None:
        assert all((f"flowdiag-run{run}.{ending}" in taken) == (run not in left) for run, ending, _ in rows)


@pytest.mark.parametrize("target", ["/proc/nowhere/reports", "/dev/null/reports"])
def test_a_folder_that_cannot_be_made_is_an_error(target):
    """Said before the analysis, with the path."""
    with pytest.raises(CannotWriteError, match="reports"):
        place_of(target)
