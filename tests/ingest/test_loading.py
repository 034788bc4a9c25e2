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


def looked_at(folder):
    """Modules that are loaded once it is known what is in a folder."""
    command = [sys.executable, "-c", LOOKED_AT, str(folder)]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_archives_and_packed_files_cost_only_those_who_have_them(tmp_path):
    """Reading a tarball, and what reads zstd, each take longer to load than a small folder to be looked at."""
    (tmp_path / "pods.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\n")
    (tmp_path / "other.txt").write_text("nothing of anybody's\n")

    loaded = looked_at(tmp_path)

    assert "flowdiag_parsers.hubble.flow_json" in loaded
    assert not loaded & {
        "concurrent.futures",
        "flowdiag.ingest.archives",
        "isal",
        "logging",
        "tarfile",
        "zstandard",
    }


def test_what_parsers_read_with_is_not_loaded_to_ask_whose_a_file_is(tmp_path):
    """All parsers are asked about every file, and compiling what each would read with takes longer than their answers."""
    (tmp_path / "pods.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\n")
    (tmp_path / "syslogemu.log").write_text(
        "Nov  3 16:23:17 node-1 DROP by policy shop/web IN=cni0 OUT=cni0 MAC= SRC=10.42.0.9 DST=10.42.0.10 LEN=60 TOS=00 \n"
    )

    loaded = looked_at(tmp_path)

    assert {"flowdiag_parsers.nflog.ulogd", "flowdiag_parsers.kindnet.policy_log"} <= loaded
    assert not loaded & {
        "flowdiag_parsers.calico.component_reader",
        "flowdiag_parsers.calico.flow_fold",
        "flowdiag_parsers.calico.outer",
        "flowdiag_parsers.cilium.monitor_lines",
        "flowdiag_parsers.hubble.json_fold",
        "flowdiag_parsers.kindnet.judged",
        "flowdiag_parsers.kindnet.known_packets",
        "flowdiag_parsers.nflog.known_pairs",
        "flowdiag_parsers.nflog.packet_line",
    }
