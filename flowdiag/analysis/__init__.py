"""The run: evidence and state in, a report or an answer out.

The only room that knows all the stages; the command line and library users go through it.
"""

from flowdiag.analysis.collect import detect_inputs, read_events
from flowdiag.analysis.options import EvidenceOptions, Selection, StateOptions
from flowdiag.analysis.questions import explain, load_asker
from flowdiag.analysis.run import analyze

__all__ = [
    "EvidenceOptions",
    "Selection",
    "StateOptions",
    "analyze",
    "detect_inputs",
    "explain",
    "load_asker",
    "read_events",
]
