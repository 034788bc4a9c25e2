"""From refused flows with their findings to the problems, marks and buckets of a report.

This room groups, folds and counts; it knows nothing of policies' languages or of formats, and it
decides nothing about causes: findings come from `flowdiag.diagnose`.
"""

from flowdiag.timeline.build import build_report
from flowdiag.timeline.drafts import Refusal
from flowdiag.timeline.material import Material, Mend

__all__ = ["Material", "Mend", "Refusal", "build_report"]
