"""The smallest change that mends a refusal, shown only with its proof.

`propose` works on one case; `attach` does so for the largest refusals of a run.  Edits are written in the
language of the rule that came nearest (NetworkPolicy, Cilium, Calico, the admin kinds), new policies in that of
the policies that isolate.
"""

from flowdiag.diagnose.proposals.attach import attach
from flowdiag.diagnose.proposals.propose import propose

__all__ = ["attach", "propose"]
