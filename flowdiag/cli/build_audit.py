"""From the option values of an audit to what `flowdiag.analysis` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from flowdiag.analysis.audit import AuditOptions
from flowdiag.analysis.results import Targets
from flowdiag.cli.collecting import bounds_of
from flowdiag.cli.moments import parse_duration
from flowdiag.cli.output import formats
from flowdiag.cli.stored import whole_report
from flowdiag.deliver.folder import Retention
from flowdiag.history import Acceptance, parse_acceptances
from flowdiag.model.errors import UsageError
from flowdiag.model.report import Problem, Severity, Status
from flowdiag.model.time import NS
from flowdiag.model.whole import read_whole

__all__ = ["audit_options_of", "targets_of"]

_CONFIG = ".flowdiag.toml"
_MOST_CONFIG = 16 << 20
"""Bytes."""


def audit_options_of(given: dict[str, Any]) -> AuditOptions:
    """What an audit is asked besides what `analyze` is."""
    acceptances, accepted_in = _acceptances(given["config"])
    most, most_of_one, within_s = bounds_of(given)
    return AuditOptions(
        acceptances=acceptances,
        accepted_in=accepted_in,
        baseline=_baseline(given["baseline"]),
        gone_after=given["gone_after"],
        collect_since_s=parse_duration(given["collect_since"]) // NS,
        skip=tuple(sorted(set(given["skip"]))),
        max_bytes=most,
        max_file=most_of_one,
        within_s=within_s,
        unused_rules=given["unused_rules"],
        tell=_told_severities(given),
    )


def targets_of(given: dict[str, Any]) -> Targets:
    """Where its results go, besides standard output and files."""
    known = formats()
    strange = [name for name in given["report_formats"] if name not in known]
    if strange:
        raise UsageError(f"--report-format {strange[0]}: no such format", hint=f"known: {', '.join(known)}")
    if given["reports"] is None and (given["report_formats"] or given["keep"] or given["keep_for"]):
        raise UsageError("--report-format, --keep and --keep-for go with --reports")
    targets = Targets(
        folder=given["reports"],
        retention=Retention(
            runs=given["keep"],
            age_ns=None if given["keep_for"] is None else parse_duration(given["keep_for"]),
        ),
        textfile=given["metrics"],
        # A Secret that was made from a file ends with the file's line.
        gateway=(given["pushgateway"] or "").strip() or None,
        notify=given["notify"],
    )
    if given["report_formats"]:
        targets = replace(targets, formats=tuple(dict.fromkeys(given["report_formats"])))
    return targets


def _acceptances(config: str | None) -> tuple[tuple[Acceptance, ...], str]:
    name = config or _CONFIG
    try:
        data = read_whole(name, _MOST_CONFIG)
    except FileNotFoundError:
        if config is None:
            return (), name
        raise UsageError(f"{name}: there is no such file") from None
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror or error}") from error
    return parse_acceptances(name, data), Path(name).name


def _baseline(path: str | None) -> tuple[Problem, ...]:
    if path is None:
        return ()
    return tuple(problem for problem in whole_report(path).problems if problem.status is not Status.GONE)


def _told_severities(given: dict[str, Any]) -> frozenset[Severity]:
    if not given["notify"]:
        return frozenset()
    levels = list(Severity)
    return frozenset(levels[: levels.index(Severity(given["notify_at"])) + 1])
