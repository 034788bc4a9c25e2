"""Audits in children of a process that has everything imported: killed at random points, or side by side.

    python killer.py kill HISTORY EVIDENCE SEED TIMES
    python killer.py together HISTORY EVIDENCE PROCESSES TIMES

A child runs the command itself; what is saved is only the interpreter's start.  Prints one JSON line.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import sys
import time
from contextlib import closing
from hashlib import sha256


def audit(history, evidence, said):
    """The command, its messages into a file; the exit code."""
    from flowdiag.cli.main import _run

    with open(said, "w", buffering=1) as sys.stderr, open(os.devnull, "w") as sys.stdout:  # noqa: PTH123
        return _run(["audit", evidence, "--history", history, "-o", "junit"], "flowdiag")


def runs(history):
    """Every run that is committed, with a digest of its report, ``None`` of an old run's; raises where the file is not whole."""
    with closing(sqlite3.connect(history)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {
            run: None if report is None else sha256(report).hexdigest()
            for run, report in connection.execute("SELECT id, report FROM run")
        }


def child(history, evidence, said):
    """Fork one audit."""
    pid = os.fork()
    if pid == 0:
        os._exit(audit(history, evidence, said))
    return pid


def kill(history, evidence, seed, times):
    """Kill audits at random moments of their life; what was committed or announced must stay."""
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    said = f"{history}.said"
    out = sys.stderr, sys.stdout
    audit(history, evidence, said)  # what a first run imports, children need not
    sys.stderr, sys.stdout = out
    for _ in range(2):
        start = time.monotonic()
        os.waitpid(child(history, evidence, said), 0)
        whole = time.monotonic() - start
    before = runs(history)
    tally = {"killed": 0, "lost": 0, "changed": 0, "unannounced": 0, "announced": 0}
    while tally["killed"] < times:
        pid = child(history, evidence, said)
        time.sleep(chance.uniform(0, whole * 1.1))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        tally["killed"] += os.WIFSIGNALED(status)
        after = runs(history)
        tally["lost"] += len(before.keys() - after.keys())
        # Only so many reports are kept: where many runs came to their end, the first ones' are let go.
        tally["changed"] += sum(
            after[run] not in (digest, None) for run, digest in before.items() if run in after
        )
        text = open(said).read()  # noqa: PTH123, SIM115
        if text.startswith("flowdiag: run "):
            tally["announced"] += 1
            tally["unannounced"] += int(text.split()[2].rstrip(",")) not in after
        before = after
    return tally | {"runs": len(before)}


def together(history, evidence, processes, times):
    """Audits side by side on one history."""
    import flowdiag.analysis.audit  # noqa: F401 - what a child needs, before it is forked

    codes = []
    for _ in range(times):
        pids = [child(history, evidence, f"{history}.said{place}") for place in range(processes)]
        codes += [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    return {"codes": codes}


if __name__ == "__main__":
    what, history_, evidence_, one, two = sys.argv[1:]
    print(json.dumps({"kill": kill, "together": together}[what](history_, evidence_, int(one), int(two))))  # noqa: T201
