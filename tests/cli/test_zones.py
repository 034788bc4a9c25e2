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


@pytest.mark.parametrize("zone", ["Mars/Olympus", "+25:00", "+1", ""])
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
