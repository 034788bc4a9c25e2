"""A parser of another distribution that does what parsers must not costs its own part, and is named with what it did."""

from __future__ import annotations

import json

import pytest

from tests.cli.foreign import install, run

PARSERS = """\
[flowdiag.parsers]
acme-good = acme_parsers:Good
acme-sniff = acme_parsers:Sniff
acme-score = acme_parsers:Score
acme-marks = acme_parsers:Marks
acme-starts = acme_parsers:Starts
acme-middle = acme_parsers:Middle
acme-count = acme_parsers:Count
acme-seconds = acme_parsers:Seconds
acme-garbage = acme_parsers:Garbage
acme-endless = acme_parsers:Endless
"""
BROKEN = """\
[flowdiag.parsers]
acme-import = acme_import:X
acme-exit = acme_exit:X
acme-old = acme_old:X
acme-other = acme_shapes:Other
acme-lacking = acme_shapes:Lacking
hubble-json = acme_shapes:Other
"""
MODULE = """
from flowdiag.parserkit import FlowEvent, Peer, TimeSource, Verdict, iter_lines

class Good:
    name = "acme-good"
    summary = "Acme"
    cni = None
    sequential = False
    document = False

    def sniff(self, head):
        return 0.95 if head.startswith(self.name.encode()) else 0.0

    def parse(self, block, context):
        for index, line in iter_lines(block):
            yield self.event(block.of_line(index).line)

    def event(self, line, **more):
        given = {"line": line, "at": 1_772_445_600_000_000_000, "time_source": TimeSource.RECORD,
                 "src": Peer(ip="192.0.2.3"), "dst": Peer(ip="192.0.2.5", port=80), "protocol": "TCP",
                 "verdict": Verdict.DENIED}
        return FlowEvent(**(given | more))

class Sniff(Good):
    name = "acme-sniff"
    def sniff(self, head):
        return {}["head"]

class Score(Good):
    name = "acme-score"
    def sniff(self, head):
        return "high"

class Marks(Good):
    name = "acme-marks"
    def denied_marks(self, head):
        return ["DROP"]

class Starts(Good):
    name = "acme-starts"
    def record_start(self, line):
        raise OSError("no")

class Middle(Good):
    name = "acme-middle"
    def event(self, line):
        return super().event(line, count=1 // (line & 1023 < 3))

class Count(Good):
    name = "acme-count"
    def event(self, line):
        return super().event(line, count=-5)

class Seconds(Good):
    name = "acme-seconds"
    def event(self, line):
        return super().event(line, at=1_772_445_600)

class Garbage(Good):
    name = "acme-garbage"
    def event(self, line):
        return {"line": line}

class Endless(Good):
    name = "acme-endless"
    def parse(self, block, context):
        while True:
            yield self.event(1)
"""
SHAPES = """
class Other:
    name = "other"
    summary = "Acme"
    cni = None
    sequential = document = False
    def sniff(self, head): return 0.0
    def parse(self, block, context): return iter(())

class Lacking:
    name = "acme-lacking"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Parsers that load."""
    return install(tmp_path_factory.mktemp("site"), PARSERS, {"acme_parsers": MODULE})


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """Parsers that do not."""
    modules = {
        "acme_import": "raise RuntimeError('no\\nlicence')",
        "acme_exit": "import sys; sys.exit('bye')",
        "acme_old": "from flowdiag.parserkit import read_stamp",
        "acme_shapes": SHAPES,
    }
    return install(tmp_path_factory.mktemp("broken"), BROKEN, modules, "flowdiag-broken")


def _logs(folder, *names):
    for name in names:
        folder.joinpath(f"{name}.log").write_text(f"acme-{name}\nb\nc\nd\n")


WHAT = {
    "count": "FlowEvent: count is how many records or connections this one stands for, from 1 on, not -5",
    "endless": "parse does not end: 19 bytes gave more records than they can hold",
    "garbage": "parse yields events, not dict",
    "middle": "raised ZeroDivisionError: integer division or modulo by zero in parse",
    "starts": "raised OSError: no in record_start",
}


@pytest.mark.parametrize("processes", ["1", "2"])
def test_each_costs_its_own_file_and_is_said(site, tmp_path, processes):
    """Where it fails what the parser had not read is lost, the message says whose it is, and all other files are read."""
    _logs(tmp_path, "good", *WHAT)

    done = run(site, "analyze", str(tmp_path), "-o", "json", "--processes", processes)

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    records = {one["path"].rsplit("/", 1)[-1]: one["records"] for one in report["inputs"]}
    assert records["good.log"] == 4
    assert records["middle.log"] == 2
    assert not any(records[f"{name}.log"] for name in ("count", "garbage", "starts"))
    said = {one["input"]: one["message"] for one in report["warnings"] if one["code"] == "worker-failed"}
    for name, what in WHAT.items():
        origin = f"parser acme-{name} of flowdiag-acme 0.2.0"
        (message,) = [text for path, text in said.items() if path.endswith(f"{name}.log")]
        assert message.startswith(origin)
        assert what in message
    assert all(one["line"] == 1 for one in report["warnings"] if one["code"] == "worker-failed")
    assert report["complete"] is False


def test_marks_that_are_none(site, tmp_path):
    """What a parser says of its marks is looked at before any line is left out by it."""
    _logs(tmp_path, "marks")

    done = run(site, "analyze", str(tmp_path), "-o", "json", "--only", "denied")

    (message,) = [
        one["message"] for one in json.loads(done.stdout)["warnings"] if one["code"] == "worker-failed"
    ]
    assert "parser acme-marks of flowdiag-acme 0.2.0: denied_marks gives a tuple of byte strings" in message


def test_times_in_another_unit(site, tmp_path):
    """Times of January 1970 are called what they are likely to be."""
    _logs(tmp_path, "seconds")

    done = run(site, "analyze", str(tmp_path), "-o", "json")

    (warning,) = [one for one in json.loads(done.stdout)["warnings"] if "1970" in one["message"]]
    assert warning["code"] == "broken-plugin"
    assert "seconds" in warning["message"]


def test_who_cannot_say_whose_a_file_is(site, tmp_path):
    """A parser that fails when it is asked about files is named once, with the first of them, and the others read them."""
    _logs(tmp_path, "good")
    tmp_path.joinpath("second.txt").write_text("acme-good\n")

    for words in (("analyze", "-o", "json"), ("events",)):
        done = run(site, words[0], str(tmp_path), *words[1:])
        assert done.returncode == 0, done.stderr
        said = (done.stderr + done.stdout).decode()
        assert (
            said.count(
                "parser acme-sniff of flowdiag-acme 0.2.0 raised KeyError: 'head' in sniff, asked about"
            )
            == 1
        )
        assert (
            said.count(
                "parser acme-score of flowdiag-acme 0.2.0: sniff gives a number, not 'high', asked about"
            )
            == 1
        )
        assert "good.log and 1 more input" in said


def test_what_detect_says(site, tmp_path):
    """``detect`` keeps what plugins did wrong apart from the files that it was asked about."""
    _logs(tmp_path, "good")
    log = str(tmp_path / "good.log")

    done = run(site, "parsers", "detect", log)

    assert done.stdout.decode() == f"{log}\n  read as  acme-good\n  0.95  acme-good\n"
    assert b"parser acme-sniff of flowdiag-acme 0.2.0 raised KeyError: 'head' in sniff" in done.stderr


def test_a_stream_goes_on(site):
    """`watch` says what the parser raised, and reads what it can."""
    done = run(site, "watch", "-", "-o", "json", given=b"acme-middle\nb\nc\nd\n")

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert any(
        "acme-middle of flowdiag-acme 0.2.0 raised Zero" in one["message"] for one in report["warnings"]
    )


def test_what_does_not_load(site, broken, tmp_path):
    """Each is listed with its error, in one line, and warned of; all else goes on."""
    _logs(tmp_path, "good")
    says = {
        "acme-import": "RuntimeError: no licence",
        "acme-exit": "SystemExit: bye",
        "acme-old": "it is made for another flowdiag than ",
        "acme-other": "its name is 'other', and it is registered as 'acme-other'",
        "acme-lacking": "it has no summary, cni, sequential, document, sniff, parse",
        "hubble-json": "a name that flowdiag itself has",
    }

    listed = json.loads(run((site, broken), "parsers", "-o", "json").stdout)
    done = run((site, broken), "analyze", str(tmp_path), "-o", "json")

    errors = {row["name"]: row["error"] for row in listed if row["distribution"] == "flowdiag-broken"}
    assert set(errors) == set(says)
    report = json.loads(done.stdout)
    warned = [one["message"] for one in report["warnings"] if one["code"] == "broken-plugin"]
    for name, words in says.items():
        assert words in errors[name]
        assert "\n" not in errors[name]
        assert any(f"{name} of flowdiag-broken 0.2.0" in text and words in text for text in warned)
    assert [one["records"] for one in report["inputs"]] == [4]
    assert not any("does not load" in text for text in _warned(site, tmp_path))


def _warned(site, folder):
    done = run(site, "analyze", str(folder), "-o", "json")
    return [one["message"] for one in json.loads(done.stdout)["warnings"]]


def test_forced_parser_that_does_not_load(broken, tmp_path):
    """``--format`` with it is an error that says what to do."""
    _logs(tmp_path, "good")

    done = run(broken, "analyze", str(tmp_path), "--format", "acme-old")

    assert done.returncode == 5
    assert b"acme-old of flowdiag-broken 0.2.0 is broken: ImportError" in done.stderr
    assert b"FLOWDIAG_PLUGINS=none" in done.stderr


def test_two_strangers_with_one_name(site, tmp_path):
    """The first by distribution has it, and the other is told so."""
    other = install(
        tmp_path,
        "[flowdiag.parsers]\nacme-good = other_good:Good\n",
        {"other_good": MODULE.replace('summary = "Acme"', 'summary = "Other"')},
        "flowdiag-zebra",
    )

    rows = json.loads(run((other, site), "parsers", "-o", "json").stdout)

    found = [(row["distribution"], row["error"]) for row in rows if row["name"] == "acme-good"]
    assert found == [
        ("flowdiag-acme", None),
        ("flowdiag-zebra", "acme-good is a name that flowdiag-acme has; give it another one"),
    ]


def test_distributions_are_named_as_installers_do(site, tmp_path):
    """``FLOWDIAG_PLUGINS`` takes ``Flowdiag_Acme`` for ``flowdiag-acme``, and spaces behind a comma."""
    _logs(tmp_path, "good")
    chosen = run(
        site, "parsers", "detect", str(tmp_path / "good.log"), FLOWDIAG_PLUGINS="other, Flowdiag_Acme"
    )
    none = run(site, "parsers", "detect", str(tmp_path / "good.log"), FLOWDIAG_PLUGINS="other")

    assert b"read as  acme-good" in chosen.stdout
    assert b"acme-good" not in none.stdout.split(b"\n", 1)[1]
