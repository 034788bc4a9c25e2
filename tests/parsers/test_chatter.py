"""What kubectl, journalctl and tail say around a log on the same terminal is no record, and no damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdiag.analysis import EvidenceOptions, analyze
from flowdiag.ingest import Gathered, ReadOptions, iter_events
from flowdiag.parserkit import ParseWarning, said_around

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "parsers"
SAID = (
    'Defaulted container "cilium-agent" out of: cilium-agent, config (init)',
    "Handling connection for 4245",
    "Forwarding from 127.0.0.1:4245 -> 4245",
    "Found 3 pods, using pod/cilium-x2v4z",
    "Unable to use a TTY - input is not a terminal or the right kind of file",
    "==> /var/log/pods/a/0.log <==",
    "-- Logs begin at Mon 2026-01-05 09:00:00 UTC, end at Mon 2026-01-05 11:00:00 UTC. --",
    "-- Boot 1b2c9e --",
    "^C",
    "root@server:~# hubble observe --identity 1 --port 22 -f",
    "[root@n1 /]# cat /var/log/a.log | grep 10.0.0.1",
    "ann@laptop:~/src (main)$ kubectl -n kube-system exec cilium-6vz5k -- cilium monitor",
    "$ sudo journalctl -k",
)
LOGS = {
    "hubble-json": "ordinary",
    "hubble-compact": "ordinary",
    "hubble-table": "ordinary",
    "hubble-dict": "ordinary",
    "cilium-monitor": "ordinary",
    "cilium-monitor-json": "ordinary",
    "cilium-agent-log": "slog",
    "calico-log": "operator",
    "weave-npc": "ordinary",
}


@pytest.mark.parametrize("name", LOGS)
def test_words_around_a_log(tmp_path, name):
    """They are passed over, where events are asked for and where flows are counted."""
    (source,) = (FIXTURES / name / LOGS[name]).glob("input.*")
    lines = source.read_text().rstrip("\n").split("\n")
    reports, warnings = [], []
    for said in ((), SAID):
        path = tmp_path / "in.log"
        path.write_text("".join(f"{line}\n" for line in [*said, *lines, *said]))
        with Gathered([str(path)]) as sources:
            found = [event for _, _, event in iter_events(sources, ReadOptions(format=name, year=2026))]
        warnings.append([event.message for event in found if isinstance(event, ParseWarning)])
        reports.append(analyze([str(path)], evidence=EvidenceOptions(format=name, year=2026)))

    assert warnings[0] == warnings[1]
    assert [one.totals for one in reports[:1]] == [one.totals for one in reports[1:]]
    assert reports[0].complete == reports[1].complete


@pytest.mark.parametrize(
    "line",
    [
        "command terminated with exit code 137",
        "rpc error: code = Unavailable desc = transport is closing",
        "Error from server (NotFound): pods not found",
        "==> a log's own arrow",
        "-- a dash",
        "Forwarded",
        "$ 5 was paid",
        "ann@laptop wrote: kubectl logs",
    ],
)
def test_words_that_tell_of_a_loss_are_not_passed_over(line):
    """Nor lines that only look alike."""
    assert not said_around(line)
