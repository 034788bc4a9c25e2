"""Every policy language in one rule model, and one evaluator that keeps its walk.

`compile_policies` turns a snapshot into a `PolicySet`; `PolicySet.evaluate` answers for one connection,
`connections` gives the exact open ports between two ends.  This room reads no files and knows no logs.
"""

from flowdiag.policy.admitting import AllowRule, Use, admitting_rules, allow_rules
from flowdiag.policy.compile.all import compile_policies
from flowdiag.policy.dialect import PLAIN, detect_dialect, dialects_seen
from flowdiag.policy.enforcers import enforcers
from flowdiag.policy.evaluate import PolicySet
from flowdiag.policy.logged import log_rules
from flowdiag.policy.nearest import closest_label
from flowdiag.policy.ports import PortSet
from flowdiag.policy.reach import connections

__all__ = [
    "PLAIN",
    "AllowRule",
    "PolicySet",
    "PortSet",
    "Use",
    "admitting_rules",
    "allow_rules",
    "closest_label",
    "compile_policies",
    "connections",
    "detect_dialect",
    "dialects_seen",
    "enforcers",
    "log_rules",
]
