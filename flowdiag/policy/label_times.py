"""The labels that an object had at a time: objects remember what they had before each change."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

from flowdiag.model.objects import LabelChange, Snapshot

__all__ = ["LabelTimes", "labels_at"]


def labels_at(
    labels: Mapping[str, str], before: tuple[LabelChange, ...], at: int | None
) -> Mapping[str, str]:
    """Pick the labels that held at `at`; without a time, the latest."""
    if at is None or not before:
        return labels
    later = [change for change in before if change.until > at]
    return min(later, key=lambda change: change.until).labels if later else labels


class LabelTimes:
    """When labels of pods and namespaces changed in a snapshot; false where none ever did.

    Args:
        snapshot: whose.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._times = sorted(
            {
                change.until
                for changes in (
                    *(pod.labels_before for pod in snapshot.pods),
                    *(namespace.labels_before for namespace in snapshot.namespaces.values()),
                )
                for change in changes
            }
        )

    def __bool__(self) -> bool:
        return bool(self._times)

    def span(self, at: int | None) -> int | None:
        """Number the span of a moment between two changes of any label; ``None`` is now, or where none changed."""
        return bisect_right(self._times, at) if at is not None and self._times else None
