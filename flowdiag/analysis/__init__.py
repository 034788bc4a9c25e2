"""The run: evidence and state in, a report or an answer out.

The only room that knows all the stages; the command line and library users go through it.
"""

from typing import TYPE_CHECKING

from flowdiag.model.front import front_door

if TYPE_CHECKING:
    from flowdiag.analysis.options import EvidenceOptions, Selection, StateOptions
    from flowdiag.analysis.questions import explain, load_asker
    from flowdiag.analysis.records import detect_inputs, read_events
    from flowdiag.analysis.rule_use import Coverage, RuleUse, UnusedRule
    from flowdiag.analysis.run import analyze, examine
    from flowdiag.analysis.stages import Examination

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

__getattr__ = front_door(
    __name__,
    {
        "options": ("EvidenceOptions", "Selection", "StateOptions"),
        "questions": ("explain", "load_asker"),
        "records": ("detect_inputs", "read_events"),
        "rule_use": ("Coverage", "RuleUse", "UnusedRule"),
        "run": ("analyze", "examine"),
        "stages": ("Examination",),
    },
)
