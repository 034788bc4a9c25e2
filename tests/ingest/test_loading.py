"""What is not loaded for plain files before the first of their records is read."""

import subprocess
import sys

LOOKED_AT = """
import sys
from flowdiag.analysis.collect import contents, detect_all
from flowdiag.analysis.options import EvidenceOptions, read_options
from flowdiag.ingest import Gathered

with Gathered(sys.argv[1:]) as sources:
    detected, problems = detect_all(sources, read_options(EvidenceOptions()))
    assert [name for name, _ in contents(detected, problems)], problems
print(*sorted(sys.modules))
"""


def test_archives_and_packed_files_cost_only_those_who_have_them(tmp_path):
    """Reading a tarball, and what reads zstd, each take longer to load than a small folder to be looked at."""
    (tmp_path / "pods.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\n")
    (tmp_path / "other.txt").write_text("nothing of anybody's\n")

    loaded = set(
        subprocess.run(
            [sys.executable, "-c", LOOKED_AT, str(tmp_path)], capture_output=True, text=True, check=True
        ).stdout.split()
    )

    assert "flowdiag_parsers.hubble.flow_json" in loaded
    assert not loaded & {
        "concurrent.futures",
        "flowdiag.ingest.archives",
        "isal",
        "logging",
        "tarfile",
        "zstandard",
    }
