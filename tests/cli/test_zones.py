"""Zoneless and yearless times in text, through the whole run: --tz and --year as people write them."""

import json

import pytest

from flowdiag.cli.main import _run

LINE = (
    "Mar 22 19:29:24 node-a kernel: [   22.649083] [UFW BLOCK] IN=eth0 OUT= MAC=00:1d:92:70:97:77 "
    "SRC=192.0.2.30 DST=198.51.100.6 LEN=60 TOS=0x00 PREC=0x00 TTL=49 ID=62630 DF PROTO=TCP SPT=40000 DPT=80 "
    "WINDOW=64240 RES=0x00 SYN URGP=0\n"
)


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", "2025-03-22T19:29:24"),
        ("+05:30", "2025-03-22T13:59:24"),
        ("-0330", "2025-03-22T22:59:24"),
        ("Europe/Vienna", "2025-03-22T18:29:24"),
        ("America/New_York", "2025-03-22T23:29:24"),
    ],
)
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_zone_moves_every_time(tmp_path, capsys, zone, expected, processes):
    """The window, the input and the events agree, also across processes, and the year counts as given."""
    path = tmp_path / "kern.log"
    path.write_text(LINE * 3)
    options = [str(path), "--year", "2025", "--tz", zone, "--processes", processes]

    assert _run(["analyze", *options, "-o", "json"], "flowdiag") == 0
    report = json.loads(capsys.readouterr().out)
    assert _run(["events", *options], "flowdiag") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert report["complete"] is True
    assert not [one for one in report["warnings"] if one["code"] == "worker-failed"]
    assert report["window"]["since"] == f"{expected}.000000000Z"
    assert report["inputs"][0]["first"] == f"{expected}.000000000Z"
    assert {one["at"] for one in lines} == {f"{expected}.000000000Z"}


@pytest.mark.parametrize("zone", ["Mars/Olympus", "+25:00", "+1", " "])
def test_what_is_no_zone(tmp_path, capsys, zone):
    """A usage error that says what to write."""
    path = tmp_path / "kern.log"
    path.write_text(LINE)

    assert _run(["events", str(path), f"--tz={zone}"], "flowdiag") == 2
    assert "Europe/Vienna" in capsys.readouterr().err


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("order", ["as written", "newest first"])
def test_january_behind_december_is_the_next_year(tmp_path, capsys, processes, order):
    """--year is the year of the first stamp; the turn of the year is met on the way."""
    stamps = ["Dec 31 23:59:58", "Jan  1 00:00:02"]
    if order == "newest first":
        stamps = ["Jan  1 00:00:02", "Dec 31 23:59:58"]
    path = tmp_path / "kern.log"
    path.write_text("".join(LINE.replace("Mar 22 19:29:24", stamp) for stamp in stamps))

    year = "2025" if order == "as written" else "2026"
    assert _run(["events", str(path), "--year", year, "--processes", processes], "flowdiag") == 0
    times = [json.loads(line)["at"][:19] for line in capsys.readouterr().out.splitlines()]

    assert (
        times
        == {
            "as written": ["2025-12-31T23:59:58", "2026-01-01T00:00:02"],
            "newest first": ["2026-01-01T00:00:02", "2025-12-31T23:59:58"],
        }[order]
    )


def test_lines_of_many_months_are_all_of_the_given_year(tmp_path, capsys):
    """A file of lines gathered from several logs has no order that a year could be told by."""
    stamps = ["Dec  4 01:30:07", "Sep 25 03:36:35", "Feb 26 12:03:37"]
    path = tmp_path / "kern.log"
    path.write_text("".join(LINE.replace("Mar 22 19:29:24", stamp) for stamp in stamps))

    assert _run(["events", str(path), "--year", "2025"], "flowdiag") == 0
    times = [json.loads(line)["at"][:10] for line in capsys.readouterr().out.splitlines()]

    assert times == ["2025-12-04", "2025-09-25", "2025-02-26"]


def times_of(capsys, folder, *options):
    """First stamp's day by file, and what was said."""
    assert _run(["events", str(folder), *options], "flowdiag") == 0
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    return {line["input"].rpartition("/")[2]: line["at"] and line["at"][:10] for line in lines}, err


def written(tmp_path, **stamps):
    """Files of one line each, by name and stamp."""
    for name, stamp in stamps.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(LINE.replace("Mar 22 19:29:24", stamp))
    return tmp_path


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_rotation_goes_on_into_the_next_year(tmp_path, capsys, processes):
    """The older file is named by its number; the year is the oldest's."""
    folder = written(
        tmp_path,
        **{"kern.log": "Jan  9 00:00:01", "kern.log.1": "Jan  1 00:00:02", "kern.log.2": "Dec 25 06:25:03"},
    )
    found, said = times_of(capsys, folder, "--year", "2025", "--processes", processes)

    assert found == {"kern.log.2": "2025-12-25", "kern.log.1": "2026-01-01", "kern.log": "2026-01-09"}
    assert said == ""


def test_a_rotation_of_two_years_turns_twice(tmp_path, capsys):
    """Each step back in the calendar is a year on."""
    stamps = ["Nov 30", "Jan 15", "Jul  1", "Dec 20", "Feb  2"]
    names = ["kern.log.4", "kern.log.3", "kern.log.2", "kern.log.1", "kern.log"]
    folder = written(
        tmp_path, **{name: f"{stamp} 12:00:00" for name, stamp in zip(names, stamps, strict=True)}
    )
    found, _ = times_of(capsys, folder, "--year", "2023")

    assert [found[name][:4] for name in names] == ["2023", "2024", "2024", "2024", "2025"]


def test_two_nodes_around_new_year(tmp_path, capsys):
    """Nothing but the months tells that January is behind December: it is read so, and said."""
    folder = written(tmp_path, **{"a.log": "Jan  1 00:00:02", "b.log": "Dec 31 23:59:58"})
    found, said = times_of(capsys, folder, "--year", "2025")

    assert found == {"a.log": "2026-01-01", "b.log": "2025-12-31"}
    assert "a.log: begins in January 2026, behind other inputs of 2025" in " ".join(said.split())


def test_logs_of_a_whole_year_are_of_that_year(tmp_path, capsys):
    """Where the inputs lie months apart there is no turn to see."""
    folder = written(
        tmp_path, **{"a.log": "Jan  5 00:00:02", "b.log": "Jun 15 10:00:00", "c.log": "Dec 31 23:59:58"}
    )
    found, said = times_of(capsys, folder, "--year", "2025")

    assert found == {"a.log": "2025-01-05", "b.log": "2025-06-15", "c.log": "2025-12-31"}
    assert said == ""


def test_the_day_in_a_rotated_name_tells_the_year(tmp_path, capsys):
    """As logrotate's dateext writes it, without --year."""
    folder = written(
        tmp_path, **{"messages-20260101": "Dec 31 23:59:58", "messages-20260108": "Jan  2 00:00:01"}
    )
    found, _ = times_of(capsys, folder)

    assert found == {"messages-20260101": "2025-12-31", "messages-20260108": "2026-01-02"}


def test_a_window_around_nothing_is_a_usage_error(tmp_path, capsys):
    """It would be left out silently, and the whole log be read."""
    folder = written(tmp_path, **{"kern.log": "Mar 22 19:29:24"})

    assert _run(["analyze", str(folder), "--year", "2025", "--window", "5m"], "flowdiag") == 2
    assert "add --around TIME" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since", "2025-03-22 18:00", "--timezone", "+02:00"], True),
        (["--since", "2025-03-22 18:00", "--timezone", "+02:00", "--tz", "+02:00"], False),
        (["--since", "2025-03-22 18:00+02:00", "--timezone", "+02:00"], False),
        (["--since", "2025-03-22 18:00"], False),
        (["--since", "9000d", "--timezone", "+02:00"], False),
    ],
)
def test_a_moment_that_is_not_taken_in_the_zone_that_is_shown_is_told(tmp_path, capsys, options, said):
    """Who reads 18:00 in a report types 18:00, and gets another hour's records."""
    path = tmp_path / "kern.log"
    path.write_text(LINE)

    assert _run(["analyze", str(path), "--year", "2025", *options], "flowdiag") == 0
    assert ("is taken in UTC" in capsys.readouterr().err) is said
