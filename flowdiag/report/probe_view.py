"""The result of ``flowdiag probe``, as JSON has it and as a person reads it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from flowdiag.report.protocol import Options
from flowdiag.report.query_types import ExplainResult
from flowdiag.report.screen import Screen

__all__ = ["ProbeFrom", "ProbeObserved", "ProbeResult", "render_probe"]

_WORDS = {
    True: ("AGREES", "bold green"),
    False: ("DIFFERS", "bold red"),
    None: ("UNCLEAR", "bold yellow"),
}


class ProbeFrom(Struct, frozen=True, kw_only=True):
    """Where the attempt is made."""

    namespace: str
    pod: str
    container: str
    node: str | None


class ProbeObserved(Struct, frozen=True, kw_only=True):
    """What happened."""

    outcome: Literal["connected", "refused", "timed-out", "unreachable", "unclear"]
    seconds: float
    command: tuple[str, ...]
    said: str


class ProbeResult(Struct, frozen=True, kw_only=True):
    """``flowdiag probe -o json``.

    `source`, `address` and `port` are what was really tried; `policies` is the answer of ``explain`` for
    the same question.  `observed` and `agrees` are ``None`` where nothing was tried.
    """

    schema: Literal["flowdiag.probe/1"] = "flowdiag.probe/1"
    src: str
    dst: str
    source: ProbeFrom
    address: str
    port: int
    policies: ExplainResult
    observed: ProbeObserved | None
    agrees: bool | None
    text: str
    """What the comparison means, in words."""
    changes: tuple[str, ...]
    """What was done on the cluster, or would be."""


def render_probe(result: ProbeResult, options: Options) -> str:
    """Say what was tried, what happened, what the policies say, and what that means."""
    screen = Screen(options)
    arrow = screen.own("→")
    word, style = _WORDS[result.agrees] if result.observed is not None else ("NOT DONE", "bold yellow")
    target = f"[{result.address}]" if ":" in result.address else result.address
    half = max((screen.width - 24) // 2, 16)
    screen.put(
        (word, style),
        f"  {screen.name(result.src, half)} {arrow} {screen.name(result.dst, half)} {result.port}/TCP",
        hang=2,
    )
    screen.put(screen.name(result.text, 600), indent=2)
    screen.blank()
    where = f"{result.source.namespace}/{result.source.pod}, container {result.source.container}"
    on = f", node {result.source.node}" if result.source.node else ""
    rows = [("from", f"{where}{on}"), ("to", f"{target}:{result.port}")]
    if result.observed is not None:
        rows.append(
            ("happened", f"{result.observed.outcome.replace('-', ' ')} after {result.observed.seconds:.1f} s")
        )
        rows.append(("command", " ".join(result.observed.command)))
        if result.observed.said:
            rows.append(("it said", result.observed.said))
    rows.append(("policies", _policies(result.policies)))
    did = "done" if result.observed is not None else "would do"
    rows += [(did, change) for change in result.changes]
    for name, text in rows:
        screen.put((f"{name:<10}", "dim"), screen.name(text, 600), indent=2, hang=10)
    return screen.text()


def _policies(answer: ExplainResult) -> str:
    words = {True: "allow it", False: "refuse it", None: "cannot say"}
    text = words[answer.allowed]
    if answer.error:
        return f"{text}: {answer.error}"
    for side, end in (("egress", answer.egress), ("ingress", answer.ingress)):
        if end is None or end.allowed is not False:
            continue
        refs = [end.decided_by] if end.decided_by is not None else list(end.isolated_by)
        names = ", ".join(
            f"{one.kind} {one.namespace + '/' if one.namespace else ''}{one.name}" for one in refs[:4]
        )
        return f"{text}: {side}, {names}" if names else text
    return text
