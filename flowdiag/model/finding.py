"""What a diagnosis says of one refused flow, before findings are grouped into problems."""

from __future__ import annotations

from msgspec import Struct

from flowdiag.model.policy import DecidedBy, NearestRule, PolicyRef
from flowdiag.model.report import Confidence, Counterfactual, JoinedChange, Severity

__all__ = ["BY_RULE", "CODE_PATTERN", "Finding", "Mended", "Said"]

CODE_PATTERN = r"^(FD\d{3}|(?!FD\d)[A-Z][A-Z0-9]{1,15})$"
"""A diagnosis's code: ``FD`` and three digits are flowdiag's own; other distributions use other capitals and digits,
such as ``AC101``."""

BY_RULE = frozenset({"FD501", "FD502", "FD503"})
"""Diagnoses that blame a rule that denies: policies that isolate the same end had no part in the refusal."""


class Said(Struct, frozen=True):
    """A component's message that bears on a refusal; it stands on the time axis too."""

    at: int
    """Nanoseconds."""
    text: str
    """As the time axis shows it."""


class Mended(Struct, frozen=True):
    """Says that a connection that was refused would pass by the policies and labels at the end of the evidence."""

    text: str
    """What lets it pass: ``NetworkPolicy shop/allow-db egress[0] (created at 2026-03-01 12:00:40 UTC)``.  Empty where
    the policies of the time of the refusal allow it as well, so that it is not known what refused."""
    at: int | None
    """When that was made, in nanoseconds, if known."""


class Finding(Struct, frozen=True, kw_only=True):
    """One diagnosis of one refused flow.

    Two flows belong to one problem when `code`, `direction`, `isolating` and `cause_key` agree and
    they share the source workload or the destination.
    """

    code: str
    slug: str
    title: str
    """A template for the problem's title with ``{source}``, ``{destination}``, ``{port}`` (never a pod's name)."""
    severity: Severity
    confidence: Confidence
    direction: str | None
    """The side that refused, recorded or replayed."""
    isolating: tuple[PolicyRef, ...] = ()
    decided_by: DecidedBy | None = None
    nearest: tuple[NearestRule, ...] = ()
    cause_key: str = ""
    """The missed condition and its wanted value, or what else makes two refusals one cause."""
    summary: str = ""
    """One sentence: what is wrong here, with names, values and what was found instead."""
    advice: str = ""
    references: tuple[str, ...] = ()
    elsewhere: bool = False
    """What is to be changed is no policy: no change of one is proposed."""
    counterfactual: Counterfactual | None = None
    revert: Counterfactual | None = None
    """Takes back the change that came before the refusals, where the old object is known and the proof succeeded."""
    joined: JoinedChange | None = None
    """One change that mends this and other findings; all of them hold the same value."""
    said: tuple[Said, ...] = ()
    """Messages of components that this finding explains the refusal by."""
    age_s: float | None = None
    """Seconds between the start of the pod that the finding speaks of and the first refusal."""
    limits: tuple[str, ...] = ()
    """What kept the confidence down and what evidence would raise it, in words."""
    mended: Mended | None = None
    """What lets the connection pass by now, where the policies at the end of the evidence do."""
