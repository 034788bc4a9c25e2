"""An audit's reports in object storage: an S3 server, and the library that people use."""

import subprocess
import sys
from pathlib import Path

INCIDENT = Path(__file__).resolve().parents[2] / "fixtures" / "incidents" / "default-deny-egress"


def test_reports_and_their_retention_in_a_bucket(store, tmp_path):
    """Two runs are kept, the latest has names of its own, and an object of somebody else stays."""
    files = store.files()
    files.mkdir("audits")
    files.pipe_file("audits/shop/flowdiag-20260101T000000Z-run1.json", b"theirs")
    command = [sys.executable, "-c", "from flowdiag.cli.main import main; main()", "audit", str(INCIDENT)]
    options = ["--history", str(tmp_path / "history.db"), "--reports", "s3://audits/shop", "--keep", "2"]
    for day in range(3):
        done = subprocess.run(
            [*command, *options, "--report-format", "json", "-o", "junit"],
            env=store.environment | {"SOURCE_DATE_EPOCH": str(1_780_000_000 + 86_400 * day)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == (0 if day else 1), done.stderr

    files.invalidate_cache()
    names = sorted(name.removeprefix("audits/shop/") for name in files.ls("audits/shop"))
    assert names == [
        "flowdiag-20260101T000000Z-run1.json",
        "flowdiag-20260529T202640Z-run2.json",
        "flowdiag-20260530T202640Z-run3.json",
        "latest.json",
    ]
    assert files.cat_file("audits/shop/flowdiag-20260101T000000Z-run1.json") == b"theirs"
    last = files.cat_file("audits/shop/flowdiag-20260530T202640Z-run3.json")
    assert files.cat_file("audits/shop/latest.json") == last


def test_a_bucket_that_is_not_there_costs_the_reports_and_not_the_run(store, tmp_path):
    """The report is printed, the run is in the history, and the job fails with a sentence."""
    command = [sys.executable, "-c", "from flowdiag.cli.main import main; main()", "audit", str(INCIDENT)]
    options = ["--history", str(tmp_path / "history.db"), "--reports", "s3://nowhere/shop"]
    done = subprocess.run(
        [*command, *options, "--report-format", "json", "--fail-on", "never", "-o", "junit"],
        env=store.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2, done.stderr
    assert "run 1, the first of its kind" in done.stderr
    assert "reports: s3://nowhere/shop: " in done.stderr
    assert done.stdout.startswith("<?xml")
