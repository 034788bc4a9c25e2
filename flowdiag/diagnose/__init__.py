"""Coded diagnoses over a refused flow, its replay and the cluster's state.

One module per code under ``fd1_isolation`` to ``fd8_evidence``; each is registered under the entry point
group ``flowdiag.diagnoses``.  `diagnose` asks them all about one `Case`; a `Context` holds what a run
knows as a whole.  The nearest missed rules come from `flowdiag.policy`; nothing here evaluates a policy.
"""

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.engine import diagnose, leading_finding
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.registry import broken_rules, rules
from flowdiag.diagnose.rule import Rule, sections

__all__ = [
    "Case",
    "Context",
    "Needs",
    "Rule",
    "broken_rules",
    "diagnose",
    "leading_finding",
    "rules",
    "sections",
]
