"""Which pod labels Cilium keeps for an identity.

A selector on a label that is filtered out never matches, although the pod has it.
Source: Cilium v1.17 ``pkg/labelsfilter/filter.go``: patterns are held against the start of the key; a
label is dropped where the shortest dropping match is longer than every keeping one, or where some pattern
keeps and none of them matches.
"""

from __future__ import annotations

import re

__all__ = ["LabelFilter"]

_KEPT = (
    "io.kubernetes.pod.namespace",
    "io.cilium.k8s.namespace.labels",
    "app.kubernetes.io",
    "io.cilium.k8s.policy.cluster",
)
_DROPPED = (
    "io.kubernetes",
    "kubernetes.io",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-completion-index",
    "k8s.io",
    "pod-template-generation",
    "pod-template-hash",
    "controller-revision-hash",
    "annotation",
    "etcd_node",
)
# The one default pattern that matches anywhere in a key ("beta.kubernetes.io/arch").
_DROPPED_ANYWHERE = "beta.kubernetes.io"

# "k8s:app", "!k8s:io\.kubernetes", "k8s:!team", "k8s:app.kubernetes.io.*" (`labels` of cilium-config, v1.19)
_PLAIN = re.compile(r"(?:[\w/:-]|\\?\.)*(?:\.\*)?")
_MEMORY = 1 << 14
"""Keys of which it is remembered; a cluster has few hundred."""

_MAX_PATTERNS = 256


class LabelFilter:
    """The agent's ``labels`` setting over its defaults.

    Args:
        setting: patterns separated by spaces or commas, ``[source:][!]prefix``; empty for the defaults.
    """

    def __init__(self, setting: str) -> None:
        self._kept = list(_KEPT)
        self._dropped = list(_DROPPED)
        self._known: dict[str, bool] = {}
        self._only_kept = False
        self._unclear = False
        for word in setting.replace(",", " ").split()[:_MAX_PATTERNS]:
            dropped = word.startswith("!")
            pattern = word.removeprefix("!")
            source, colon, rest = pattern.partition(":")
            if colon:
                pattern = rest
                if source not in ("", "k8s", "any"):
                    continue
            if pattern.startswith("!"):
                dropped, pattern = True, pattern[1:]
            if not _PLAIN.fullmatch(pattern):
                self._unclear = True
                continue
            prefix = pattern.removesuffix(".*").replace("\\", "")
            (self._dropped if dropped else self._kept).append(prefix)
            self._only_kept |= not dropped

    def keeps(self, key: str) -> bool | None:
        """Whether a pod label of this key is part of the identity; ``None`` is not known."""
        if self._unclear:
            return None
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MEMORY:
                self._known.clear()
            known = self._known[key] = self._keeps(key)
        return known

    def _keeps(self, key: str) -> bool:
        kept = max((len(each) for each in self._kept if key.startswith(each)), default=0)
        dropped = [len(each) for each in self._dropped if key.startswith(each)]
        anywhere = key.rfind(_DROPPED_ANYWHERE)
        if anywhere >= 0:
            dropped.append(anywhere + len(_DROPPED_ANYWHERE))
        least = min(dropped, default=0)
        return kept > least if self._only_kept or least else True
