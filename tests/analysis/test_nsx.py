"""NSX writes a rule's number with what it refused: whose rule it is, the policies at hand may tell, or nobody."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import CREATED, DENY, OBJECTS, listed, policy, write

from flowdiag.analysis import analyze
from flowdiag.model.report import Confidence

OPEN = [one for one in OBJECTS if one is not DENY]
CLOSED = policy("data", "closed", {"podSelector": {}, "policyTypes": ["Ingress"]}, created=CREATED)
REFUSED = "".join(
    f"2026-03-17T14:03:1{second}.338Z 7396c504 INET {{why}} DROP 1031 IN 60 TCP 10.0.0.5/4967{second}->10.0.1.7/8080 S\n"
    for second in range(5)
)


def report(folder, why, *objects):
    return analyze(
        [write(folder, dfwpktlogs_log=REFUSED.format(why=why), state_json=listed(*OPEN, *objects))]
    )


def test_a_policy_that_refuses_is_named_and_never_sure(tmp_path):
    """NCP's rule and an administrator's look the same: the replay alone says that the policy did it."""
    told = report(tmp_path, "match", CLOSED)

    (problem,) = told.problems
    assert (problem.code, problem.confidence, problem.count) == ("FD101", Confidence.LIKELY, 5)


def test_where_no_policy_refuses_nobody_is_blamed(tmp_path):
    """The rest is an administrator's rule, or of a policy that is not at hand, which the warning says."""
    told = report(tmp_path, "match")

    assert (told.problems, told.totals.unattributed) == ((), 5)
    (said,) = [one.message for one in told.warnings if one.code == "unknown-drop-reason"]
    assert said == (
        "5 drops of unknown cause (rule 1031 5): a rule of NSX's distributed firewall refused it: a NetworkPolicy's, "
        "which NCP wrote there, or an administrator's, so no policy is blamed"
    )


def test_what_no_rule_refused_is_no_policy_s(tmp_path):
    """A packet outside of any connection is dropped whatever the rules are."""
    told = report(tmp_path, "state-mismatch", CLOSED)

    assert (told.totals.denied, told.totals.not_policy) == (0, 5)
