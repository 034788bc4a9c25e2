"""The incident's timeline as JSON lines that Timesketch and plaso take as they are.

Every line has ``message``, ``datetime`` and ``timestamp_desc``, which Timesketch's importer requires
(docs/guides/user/import-from-json-csv.md), and ``timestamp`` in microseconds and ``data_type``, as the lines
have that plaso's psort writes (``-o json_line``).

psort reads plaso's own storage only.  log2timeline fills that, and psteal does both in one go; of JSON lines they
take those that one of the plugins below plaso/parsers/jsonl_plugins knows by its first line, and nobody's plugin is
general.  The one for Docker's json-file logs (docker_container_log.py, plaso 20260720) asks for a ``log``, a
``stream`` and an ISO 8601 ``time`` and no more, so lines have these too: ``log`` and ``time`` say again what
``message`` and ``datetime`` say.  That first line is read to 64 KiB (jsonl_parser.py), and of lines with the same
microsecond and text psort keeps one, hence `_MAX_LINE` and `_told_apart`.

What has no time cannot stand on a timeline and is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from flowdiag.model.report import Problem, Report
from flowdiag.report.escape import visible
from flowdiag.report.json_report import json_bytes
from flowdiag.report.names import end_text, policy_name, port_text, who_to_whom
from flowdiag.report.protocol import Options
from flowdiag.report.times import ticks

__all__ = ["JsonlReporter"]

_DESCRIPTIONS = {
    "change": "Cluster Object Changed",
    "signal": "Component Signal",
    "gap": "Evidence Missing",
}
_WORDS = {
    "audited": "Would Be Refused",
    "logged": "Logged",
    "allowed": "Let Through",
    "redirected": "Let Through",
}
_NOUNS = {"logged": "logged packets", "allowed": "records let through", "redirected": "records let through"}
_MAX_LINE = 60_000
"""Bytes of a line."""
_LIMITS = (2000, 400, 60)
"""Characters of a string: the first of these with which the line is short enough, as it always is with the last."""
_MAX_ITEMS = 20
_UTF8 = 4
"""Bytes of a shown character at most."""


class JsonlReporter:
    """``-o jsonl``: first and last refusal of each connection, changes, signals and gaps, in time order."""

    name: ClassVar[str] = "jsonl"
    binary: ClassVar[bool] = False

    def render(self, report: Report, options: Options) -> str:
        """One object a line; `options.problem` leaves only that problem's connections."""
        entries = [*_refusals(report, options.problem)]
        entries.extend(_marks(report, options.problem))
        entries.sort(
            key=lambda entry: (entry["timestamp"], entry["at"], entry["timestamp_desc"], entry["message"])
        )
        return "".join(f"{line}\n" for line in _told_apart(map(_fitting, _taken(entries))))


def _taken(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each, which the list no longer holds then: a hundred thousand of them take more memory than their lines."""
    entries.reverse()
    while entries:
        yield entries.pop()


def _refusals(report: Report, only: str | None) -> Iterator[dict[str, Any]]:
    for problem in report.problems:
        if only is not None and problem.id != only:
            continue
        for connection in problem.connections:
            word = _WORDS.get(problem.verdict, "Refused")
            moments = {"First": connection.first, "Last": connection.last}
            if connection.first == connection.last:
                moments.pop("Last")
            for which, moment in moments.items():
                what = _NOUNS.get(problem.verdict, "refusals")
                told = f"{which} of {connection.count} {what}" if connection.count != 1 else f"{word} once"
                text = f"{told}: {who_to_whom(connection)} ({problem.code} {problem.title})"
                entry = _entry(report, moment, f"{which} {word}", text)
                if entry is not None:
                    yield (
                        entry
                        | _facts(problem)
                        | {
                            "source": end_text(connection.source),
                            "destination": end_text(connection.destination),
                            "src_ip": connection.source.ips[0] if connection.source.ips else None,
                            "dst_ip": connection.destination.ips[0] if connection.destination.ips else None,
                            "protocol": connection.protocol,
                            "dst_port": connection.port,
                            "service": port_text(connection.protocol, connection.port),
                            "count": connection.count,
                        }
                    )


def _marks(report: Report, only: str | None) -> Iterator[dict[str, Any]]:
    ids = {problem.id: problem for problem in report.problems}
    for mark in report.timeline:
        if only is not None and mark.problem != only:
            continue
        description = _DESCRIPTIONS.get(mark.kind)
        if description is None:
            continue  # first and last denials stand there by connection
        entry = _entry(report, mark.at, description, mark.text)
        if entry is not None:
            explained = ids.get(mark.problem or "")
            yield entry if explained is None else entry | _facts(explained)


def _entry(report: Report, moment: str | None, description: str, message: str) -> dict[str, Any] | None:
    at = ticks(moment)
    if at is None or moment is None:
        return None
    # Microseconds are what both Timesketch and Python's datetime keep; `at` has them all.
    second, fraction = moment[:19], f"{at // 1000 % 1_000_000:06d}"
    return {
        "message": message or description,
        "datetime": f"{second}.{fraction}+00:00",
        "timestamp": at // 1000,
        "timestamp_desc": description,
        "data_type": "flowdiag:report:event",
        "at": moment,
        "cluster": report.cluster.name,
    }


def _facts(problem: Problem) -> dict[str, Any]:
    return {
        "problem": problem.id,
        "fingerprint": problem.fingerprint,
        "code": problem.code,
        "severity": problem.severity.value,
        "confidence": problem.confidence.value,
        "direction": problem.direction,
        "reason": problem.reason.name,
        "isolated_by": [policy_name(ref) for ref in problem.isolating],
    }


def _fitting(entry: dict[str, Any]) -> dict[str, Any]:
    """What a line holds, cut as far as it must be."""
    shown = entry
    for limit in _LIMITS:
        shown = {key: _shown(value, limit) for key, value in entry.items()}
        shown |= {"log": shown["message"], "stream": "flowdiag", "time": shown["datetime"]}
        if len(str(shown)) * _UTF8 <= _MAX_LINE or len(json_bytes(shown, pretty=False)) <= _MAX_LINE:
            break
    return shown


def _told_apart(lines: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Each line once, as JSON, with a number behind the text of those that would be the same to plaso and are not."""
    seen: dict[tuple[int, str], str] = {}
    for line in lines:
        text, number = line["message"], 1
        told, whole = line, _encoded(line)
        while (other := seen.setdefault((told["timestamp"], told["message"]), whole)) is not whole:
            if other == whole:
                break
            number += 1
            told = line | dict.fromkeys(("message", "log"), f"{text} [{number}]")
        else:
            yield whole if told is line else _encoded(told)


def _encoded(line: dict[str, Any]) -> str:
    return json_bytes(line, pretty=False).decode()


def _shown(value: Any, limit: int) -> Any:
    # Timelines are read on screens as well.
    if isinstance(value, str):
        return visible(value, limit)
    if isinstance(value, list):
        more = [f"and {len(value) - _MAX_ITEMS} more"] if len(value) > _MAX_ITEMS else []
        return [visible(item, limit) for item in value[:_MAX_ITEMS]] + more
    return value
