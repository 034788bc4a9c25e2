"""Stamps without a year beside inputs that have one: theirs, where that is sure, and unknown otherwise."""

import pytest

from flowdiag.ingest import Gathered, ReadOptions
from flowdiag.ingest.events import iter_events
from flowdiag.ingest.execute import run
from flowdiag.ingest.identify import detect_all
from flowdiag.model.event import TimeSource
from flowdiag.model.time import parse_rfc3339

ACL = (
    'name="NP:shop:Ingress", verdict=drop, severity=alert, direction=to-lport: tcp,nw_src=10.131.0.39,'
    "nw_dst=10.129.2.35,tp_src=58496,tp_dst=8080,tcp_flags=syn"
)


def kernel(day):
    """A node's log through syslog (RFC 3164), with a rule of Calico's."""
    return "".join(
        f"{day} 09:00:0{second} node-b kernel: calico-packet: IN=cali5b12d0980ac OUT=cali47e53c5df16 SRC=10.50.2.25 "
        f"DST=10.50.2.34 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID={second} DF PROTO=TCP SPT=54552 DPT=8443 WINDOW=64240 RES=0x00 SYN URGP=0\n"
        for second in range(1, 5)
    )


def ovn(day):
    """OVN writes whole stamps."""
    return "".join(
        f"{day}T08:58:0{second}.139Z|00004|acl_log(ovn_pinctrl0)|INFO|{ACL}\n" for second in range(1, 5)
    )


def times(tmp_path, options=None, **files):
    """The first time of `kernel`, and where it is from; the same by two ways to read."""
    options = options or ReadOptions()
    for name, text in files.items():
        (tmp_path / f"{name}.log").write_text(text)
    with Gathered([str(tmp_path)]) as sources:
        detected, problems = detect_all(sources, options)
        events = [
            (event.at, event.time_source)
            for name, _, event in iter_events(sources, options, detected=detected)
            if name.endswith("kernel.log")
        ]
    with Gathered([str(tmp_path)]) as sources:
        tally = run(sources, options).tally
    counts = next(one for name, one in tally.inputs.items() if name.endswith("kernel.log"))
    assert counts.first == events[0][0]
    assert not [one for one in problems if one.code == "year-turned"]
    return events[0]


@pytest.mark.parametrize(
    ("day", "beside", "at"),
    [
        ("May 12", "2023-05-12", "2023-05-12T09:00:01Z"),
        ("Apr 20", "2023-05-12", "2023-04-20T09:00:01Z"),
        ("Dec 31", "2024-01-01", "2023-12-31T09:00:01Z"),
        ("Jan  1", "2023-12-31", "2024-01-01T09:00:01Z"),
        ("Feb 29", "2024-03-01", "2024-02-29T09:00:01Z"),
    ],
)
def test_it_is_the_year_of_what_lies_beside_it(tmp_path, day, beside, at):
    """A kernel's log stood at no time beside an export of the same hour; its year is inferred, as is said."""
    assert times(tmp_path, kernel=kernel(day), ovn=ovn(beside)) == (
        parse_rfc3339(at),
        TimeSource.INFERRED_YEAR,
    )


@pytest.mark.parametrize(
    "files",
    [
        {"kernel": kernel("May 12")},
        {"kernel": kernel("May 12"), "other": kernel("May 12")},
        {"kernel": kernel("May 12"), "ovn": ovn("2023-11-01")},
        {"kernel": kernel("May 12"), "ovn": ovn("2023-05-12"), "older": ovn("2021-05-12")},
    ],
    ids=["alone", "both without", "half a year away", "two years"],
)
def test_what_is_not_sure_stays_unknown(tmp_path, files):
    """Another log without a year tells nothing, nor do those of other seasons or of several years."""
    at, _ = times(tmp_path, **files)

    assert at is None


def test_a_year_that_was_given_counts(tmp_path):
    """Whatever lies beside it."""
    found = times(tmp_path, ReadOptions(year=2021), kernel=kernel("May 12"), ovn=ovn("2023-05-12"))

    assert found == (parse_rfc3339("2021-05-12T09:00:01Z"), TimeSource.INFERRED_YEAR)
