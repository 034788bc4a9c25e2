"""Policies of an older dump that a newer one no longer has: they held until then, and hold no more."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import structs

from flowdiag.cluster.manifests import Entry, Manifest, StateProblem, as_objects
from flowdiag.model.objects import PolicyObject
from flowdiag.model.time import moment_text, parse_rfc3339

__all__ = ["ended", "stamp"]

# "cilium-sysdump-20261103-121530/k8s-pods-20261103-121530.yaml" (cilium-cli, UTC is not promised by the tool
# but the stamp is written by the collecting machine; it bounds the state's time to the day's minute at worst)
# "bundle.tar.gz!flowdiag-bundle-20261103-121530/state/pods.json" (flowdiag collect, UTC)
_STAMPED = re.compile(
    r"(?:^|[/!])(?:(?:k8s-|cilium)[a-z-]+-(?=[\d-]{15}\.ya?ml$)|flowdiag-bundle-(?=[\d-]{15}/))"
    r"(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)"
)
_Key = tuple[str, str, str, str]
"""(group, kind, namespace or "", name)."""


def stamp(names: Iterable[str]) -> int | None:
    """When a dump was taken by the stamps in its files' names, nanoseconds: the latest; ``None`` where there is none."""
    found: list[int] = []
    for name in names:
        if match := _STAMPED.search(name):
            year, month, day, hour, minute, second = match.groups()
            try:
                found.append(parse_rfc3339(f"{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
            except ValueError:
                continue
    return max(found, default=None)


def ended(
    entries: Iterable[Entry], manifests: Sequence[Manifest]
) -> tuple[dict[_Key, Entry], list[StateProblem]]:
    """Give the policies that the newest dump of their kind has no more, each with its end, and what to say of them.

    A dump tells of a namespace only where it holds something of it: one of some namespaces says nothing of others.

    Args:
        entries: the newest version of each object.
        manifests: all inputs; those that name no time say nothing of when.
    """
    holding: dict[_Key, int] = {}
    seen: dict[int, set[_Key]] = defaultdict(set)
    kinds: dict[tuple[str, str], int] = {}
    for manifest in manifests:
        at = stamp([manifest.input])
        if at is None:
            continue
        for listed in manifest.kinds:
            kinds[listed] = max(at, kinds.get(listed, at))
        for entry in manifest.entries:
            holding[entry.key] = max(at, holding.get(entry.key, at))
            seen[at].add(entry.key)
    spaces = {at: {key[3] if key[1] == "Namespace" else key[2] for key in keys} for at, keys in seen.items()}
    found: dict[_Key, Entry] = {}
    problems: list[StateProblem] = []
    for entry in entries:
        group, kind, namespace, name = entry.key
        values = as_objects(entry.value)
        had, last = holding.get(entry.key), kinds.get((group, kind))
        if (
            had is None
            or last is None
            or had >= last
            or not all(isinstance(one, PolicyObject) for one in values)
        ):
            continue
        if namespace and namespace not in spaces.get(last, ()):
            continue
        until = tuple(structs.replace(one, valid_until=last) for one in values)
        found[entry.key] = structs.replace(entry, value=until if len(until) > 1 else until[0])
        problems.append(
            StateProblem(
                code="policy-gone",
                message=f"{kind} {namespace + '/' if namespace else ''}{name} was there at {moment_text(had)} and is not "
                f"in the objects of {moment_text(last)}: it was deleted between",
                input=entry.origin.input,
                line=entry.origin.line,
                note=True,
            )
        )
    return found, problems
