"""The run: evidence and state in, a report or an answer out.

The only room that knows all the stages; the command line and library users go through it.
"""

from flowdiag.analysis.options import EvidenceOptions, Selection, StateOptions
from flowdiag.analysis.questions import explain, load_asker
from flowdiag.analysis.records import detect_inputs, read_events
from flowdiag.analysis.rule_use import Coverage, RuleUse, UnusedRule
from flowdiag.analysis.run import Examination, analyze, examine

__all__ = [
    "Coverage",
    "EvidenceOptions",
    "Examination",
    "RuleUse",
    "Selection",
    "StateOptions",
    "UnusedRule",
    "analyze",
    "detect_inputs",
    "examine",
    "explain",
    "load_asker",
    "read_events",
]
