"""How much a tally keeps.  Every bound is applied by a rule that does not depend on order."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Limits"]


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of one tally; tallies that merge must agree in them."""

    since: int | None = None
    """Flow records before it are not counted, nor kept; nanoseconds.  Those without a time are."""
    until: int | None = None
    """As `since`, of records after it."""
    flows: int = 150_000
    """Distinct refused flows kept exactly, over all groups."""
    allowed_flows: int = 300_000
    """Distinct allowed flows kept exactly, over all groups; theirs are columns of numbers."""
    refused_per_group: int = 1024
    """Distinct flows kept exactly of each group (flows that agree in all but port and outside address): refused,
    audited and failed ones."""
    allowed_per_group: int = 256
    folded: int = 20_000
    """Groups of refused flows with a remainder of their own; the remainders of further groups are pooled by verdict and cause."""
    allowed_folded: int = 2_000
    """As `folded`, for allowed flows; fewer, since a remainder costs kilobytes, and nothing is diagnosed of these."""
    refused_buckets: int = 512
    """Buckets per flow; they start at 1 s and double in width when there are more."""
    allowed_buckets: int = 48
    """As `refused_buckets`, from 60 s."""
    examples: int = 2
    """Kept records per lane of refused flows."""
    example_texts: int = 6_000
    """Flows whose examples keep their text; those of the others keep file and line."""
    example_chars: int = 4_096
    source_ports: int = 16
    names: int = 16
    policies: int = 16
    logs: int = 500
    """Per signal."""
    changes: int = 5_000
    gaps: int = 2_000
    """Per kind."""
    warnings: int = 50
    """Per parser and code."""
    answers: int = 20_000
    """Pairs of name and address from DNS answers."""

    def within(self, at: int | None) -> bool:
        """Whether a record of this time counts."""
        if at is None:
            return True
        return (self.since is None or at >= self.since) and (self.until is None or at <= self.until)
