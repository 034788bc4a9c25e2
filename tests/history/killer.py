"""Audits in children of a process that has everything imported: killed at random points, or side by side.

    python killer.py kill HISTORY EVIDENCE SEED TIMES
    python killer.py together HISTORY EVIDENCE PROCESSES TIMES

A child runs the command itself; what is saved is only the interpreter's start and what it imports.  Prints one
JSON line.
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


class Span:
    """Where kills fall: anywhere up to an end that follows the machine, however loaded it is.

    A run that was in the history already when it died, or that came to its end, brings the end nearer; one that was not
    moves it away.  It settles a third behind the commit, so that about one kill in four falls behind it.
    """

    def __init__(self, first):
        self.end = first

    def moment(self, chance, start=0.0):
        """Seconds from a child's start."""
        return chance.uniform(start, 1) * self.end

    def met(self, *, committed):
        """Learn from a child."""
        self.end *= 0.87 if committed else 1.05


def enough(tally, times):
    """So many were killed, and on both sides of their commit; gives up where that cannot be."""
    both = tally["committed"] and tally["uncommitted"]
    return tally["killed"] >= times * (1 if both else 10)


def held_against(before, after):
    """What must be nought: (runs that were lost, reports that changed)."""
    lost = len(before.keys() - after.keys())
    # Only so many reports are kept: where many runs came to their end, the first ones' are let go.
    changed = sum(after[run] not in (digest, None) for run, digest in before.items() if run in after)
    return lost, changed


def announced(said):
    """The number of the run that a command said was committed, ``None`` if it had not said so."""
    return int(said.split()[2].rstrip(",")) if said.startswith("flowdiag: run ") else None


def ready(history, evidence):
    """Import whatever an audit imports, by one on a history of its own."""
    out = sys.stderr, sys.stdout
    audit(f"{history}.other", evidence, f"{history}.other.said")
    sys.stderr, sys.stdout = out


def kill(history, evidence, seed, times):
    """Kill audits at random moments of their life; what was committed or announced must stay."""
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    said = f"{history}.said"
    ready(history, evidence)
    start = time.monotonic()
    os.waitpid(child(history, evidence, said), 0)
    span = Span(time.monotonic() - start)
    before = runs(history)
    tally = dict.fromkeys(("killed", "committed", "uncommitted", "lost", "changed", "unannounced"), 0)
    while not enough(tally, times):
        pid = child(history, evidence, said)
        time.sleep(span.moment(chance))
        os.kill(pid, signal.SIGKILL)
        killed = os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        after = runs(history)
        committed = len(after) > len(before)
        span.met(committed=committed)
        tally["killed"] += killed
        tally["committed"] += killed and committed
        tally["uncommitted"] += killed and not committed
        lost, changed = held_against(before, after)
        tally["lost"] += lost
        tally["changed"] += changed
        run = announced(open(said).read())  # noqa: PTH123, SIM115
        tally["unannounced"] += run is not None and run not in after
        # Whoever came to his end must have been kept.
        tally["lost"] += not killed and not committed
        before = after
    return tally


def together(history, evidence, processes, times):
    """Audits side by side on one history."""
    ready(history, evidence)
    codes = []
    for _ in range(times):
        pids = [child(history, evidence, f"{history}.said{place}") for place in range(processes)]
        codes += [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    return {"codes": codes}


if __name__ == "__main__":
    what, history_, evidence_, one, two = sys.argv[1:]
    print(json.dumps({"kill": kill, "together": together}[what](history_, evidence_, int(one), int(two))))  # noqa: T201
