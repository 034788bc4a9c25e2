"""The commands that are measured side by side: flowdiag's own, and what else reads such an export."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from programs import aggregate, hubble_path

FLOWDIAG = str(Path(sys.executable).with_name("flowdiag"))

DECODE = """
import sys
loads = __import__(sys.argv[2]).loads if sys.argv[2] == "json" else __import__("msgspec").json.Decoder().decode
with open(sys.argv[1], "rb") as stream:
    print(sum(1 for line in stream if loads(line)))
"""
# The counting of aggregate.cpp, in SQL.
DUCKDB = """
import sys, duckdb
connection = duckdb.connect()
connection.execute(f"SET threads = {sys.argv[2]}")
end = "STRUCT(namespace VARCHAR, workloads STRUCT(name VARCHAR)[])"
ports = "STRUCT(source_port INT, destination_port INT)"
columns = f'''{{flow: 'STRUCT(verdict VARCHAR, time VARCHAR, source {end}, destination {end}, is_reply BOOLEAN,
traffic_direction VARCHAR, drop_reason_desc VARCHAR, l4 STRUCT(TCP {ports}, UDP {ports}, SCTP {ports}))'}}'''
print(connection.execute(f'''
WITH flows AS (
  SELECT flow.verdict AS verdict, flow.traffic_direction AS way, flow.drop_reason_desc AS reason,
    substr(flow.time, 1, 16) AS minute, coalesce(flow.is_reply, false) AS reply,
    coalesce(flow.l4.TCP, flow.l4.UDP, flow.l4.SCTP) AS ports, flow.l4.TCP IS NULL AS other,
    flow.source AS a, flow.destination AS b
  FROM read_json('{sys.argv[1]}', format='newline_delimited', columns={columns})),
counted AS (
  SELECT CASE WHEN reply THEN b.namespace ELSE a.namespace END AS sns,
    CASE WHEN reply THEN b.workloads[1].name ELSE a.workloads[1].name END AS sw,
    CASE WHEN reply THEN a.namespace ELSE b.namespace END AS dns,
    CASE WHEN reply THEN a.workloads[1].name ELSE b.workloads[1].name END AS dw,
    CASE WHEN reply THEN ports.source_port ELSE ports.destination_port END AS port,
    other, way, verdict, reason, minute, count(*) AS n
  FROM flows GROUP BY ALL)
SELECT sum(n), sum(n) FILTER (verdict = 'DROPPED'), count(*) FROM counted''').fetchall())
"""


DROPS = 'select(.flow.verdict=="DROPPED")'
RG_JQ = f"""rg -F '"DROPPED"' "$1" | jq -c '{DROPS}'"""


class Peer:
    """A command, what must be installed for it, and what it reads."""

    def __init__(self, name, command, needs=None, does="", lacks=None):
        self.name, self.command, self.needs, self.does, self._lacks = name, command, needs, does, lacks

    def missing(self):
        """Why it cannot be run, or None."""
        for need in (self.needs or "").split():
            if shutil.which(need) is None and find_spec(need) is None:
                return f"{need} is not installed"
        return self._lacks


def _without_native(folder):
    """A folder that hides the extension in C from a command and its workers."""
    hiding = folder / "hiding"
    hiding.mkdir(exist_ok=True)
    (hiding / "flowdiag_native.py").write_text('raise ImportError("left out")\n')
    return hiding


def peers(folder):
    """Everything that is run on the export in `folder`, in the order of the table."""
    path, state = str(folder / "flows.jsonl"), str(folder / "state")
    (counting, no_counting), (reading, no_reading) = aggregate(folder), hubble_path(folder)
    python, report = sys.executable, str(folder / "report.json")
    analyze = [FLOWDIAG, "analyze", path, "--state", state, "-o", f"json={report}", "-o", "jsonl"]
    return [
        Peer("wc -l", ["wc", "-l", path], "wc", does="counts lines"),
        Peer("rg -c DROPPED", ["rg", "-c", '"DROPPED"', path], "rg", does="finds lines"),
        Peer("C++ with simdjson", [counting, path], does="the same counting, one thread", lacks=no_counting),
        Peer("DuckDB, 2 threads", [python, "-c", DUCKDB, path, "2"], "duckdb", does="the same counting"),
        Peer("DuckDB, 1 thread", [python, "-c", DUCKDB, path, "1"], "duckdb", does="the same counting"),
        Peer("**flowdiag analyze**", analyze, does="whole report, as many processes as it likes"),
        Peer(
            "flowdiag analyze, without parsers/native",
            ["env", f"PYTHONPATH={_without_native(folder)}", *analyze],
            "flowdiag_native",
            does="whole report, all records in Python",
        ),
        Peer(
            "flowdiag analyze --processes 2", [*analyze, "--processes", "2"], does="whole report, two workers"
        ),
        Peer("**flowdiag analyze --only denied**", [*analyze, "--only", "denied"], does="report of refusals"),
        Peer(
            "flowdiag analyze, gz", [part.replace(path, path + ".gz") for part in analyze], does="one stream"
        ),
        Peer(
            "flowdiag analyze, zst",
            [part.replace(path, path + ".zst") for part in analyze],
            does="one stream",
        ),
        Peer(
            "flowdiag analyze, 200 files",
            [part.replace(path, str(folder / "rotated")) for part in analyze],
            does="the same bytes, rotated",
        ),
        Peer("msgspec to a dict a line", [python, "-c", DECODE, path, "msgspec"], does="decodes"),
        Peer("json.loads a line", [python, "-c", DECODE, path, "json"], does="decodes"),
        Peer("jq", ["jq", "-c", DROPS, path], "jq", does="filters drops"),
        Peer("rg and jq", ["sh", "-c", RG_JQ, "sh", path], "rg jq", does="filters drops"),
        Peer(
            "hubble observe --input-file",
            ["hubble", "observe", "--input-file", path, "--verdict", "DROPPED", "-o", "json"],
            "hubble",
            does="filters drops",
        ),
        Peer(
            "stand-in for hubble observe (our Go)",
            [reading, path],
            does="filters drops as the CLI does",
            lacks=no_reading,
        ),
    ]
