"""From paths to events: opening, unpacking, peeling wrappers, detecting, cutting into blocks, running.

This room knows nothing of what records mean; parsers say that, and tally keeps it.
Start with `sources` (what is there), then `detect` (what it is), `blocks` (how a parser gets it) and `execute`
(who does the work).
"""

from flowdiag.ingest.bundles import Hint, Role, recognise
from flowdiag.ingest.detect import Detection, InputKind, Score, detect
from flowdiag.ingest.execute import Outcome, Progress, detect_all, iter_events, run
from flowdiag.ingest.options import ReadOptions
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.sources import Gathered, Source

__all__ = [
    "Detection",
    "Gathered",
    "Hint",
    "InputKind",
    "InputProblem",
    "Outcome",
    "Progress",
    "ReadOptions",
    "Role",
    "Score",
    "Source",
    "detect",
    "detect_all",
    "iter_events",
    "recognise",
    "run",
]
