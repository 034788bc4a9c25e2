"""The smallest change that mends a refusal, shown only with its proof.

`propose` works on one case; `attach` does so for the largest refusals of a run.  NetworkPolicy is the
language spoken so far: where other kinds alone isolate an end, nothing is proposed.
"""

from flowdiag.diagnose.proposals.attach import attach
from flowdiag.diagnose.proposals.propose import propose

__all__ = ["attach", "propose"]
