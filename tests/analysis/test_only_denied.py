"""A run that leaves allowed traffic unread says nothing of it, not even that there was none."""

import pytest

from flowdiag.analysis import EvidenceOptions, analyze
from flowdiag.report.markdown import MarkdownReporter
from flowdiag.report.phrases import headline
from flowdiag.report.protocol import Options

PASSED = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n"
    "2 123456789010 eni-1235b8ca123456789 10.0.1.5 10.0.1.9 40001 8080 6 1 60 1781085600 1781085660 ACCEPT OK\n"
)


@pytest.mark.parametrize("files", [1, 2])
def test_a_log_in_which_everything_passed_is_not_said_to_hold_no_record(tmp_path, files):
    """Its records were left unread, so whether there are any is not known."""
    paths = [tmp_path / f"vpc{number}.log" for number in range(files)]
    for path in paths:
        path.write_text(PASSED)
    report = analyze([str(path) for path in paths], evidence=EvidenceOptions(only_denied=True))
    (warning,) = report.warnings

    assert report.totals.allowed is None
    assert headline(report) == "No denied traffic in what was read"
    assert warning.code == "only-denied"
    assert "no record of traffic" not in warning.message
    which = f"{paths[0]} holds no denial" if files == 1 else "none of 2 inputs holds a denial"
    assert warning.message == f"{which}; what else stands there was not read, because of --only"


def test_a_path_keeps_its_case_where_a_sentence_begins_with_it(tmp_path, monkeypatch):
    """A ticket that names ``Logs/vpc.log`` for ``logs/vpc.log`` names a file that does not exist."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "vpc.log").write_text(PASSED)
    report = analyze(["logs/vpc.log"], evidence=EvidenceOptions(only_denied=True))

    assert "\n`logs/vpc.log` holds no denial;" in MarkdownReporter().render(report, Options())
