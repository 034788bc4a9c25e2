"""An audit's results on their way out: the reports' folder, metrics, and people.

The history is written before any of this, and nothing here can take it back: what fails is a sentence,
and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from flowdiag.deliver.files import CannotWriteError, check_no_input, write_file
from flowdiag.deliver.folder import Retention, put_reports
from flowdiag.deliver.gateway import check_gateway, push
from flowdiag.deliver.notify import check_notify, notify
from flowdiag.deliver.places import Place, place_of
from flowdiag.history import History, Recorded, keys_of
from flowdiag.model.errors import FlowdiagError
from flowdiag.model.report import Report
from flowdiag.report import Options
from flowdiag.report.notice import notice

__all__ = ["Results", "Targets"]

Render = Callable[[str, Report], str | bytes]
"""A report in a format, by the format's name."""

_ENDINGS = {
    "markdown": "md",
    "terminal": "txt",
    "junit": "junit.xml",
    "openmetrics": "prom",
    "sarif": "sarif.json",
}


class Targets(Struct, frozen=True, kw_only=True):
    """Where results go; what is empty is not asked for."""

    folder: str | None = None
    formats: tuple[str, ...] = ("json", "markdown", "html")
    retention: Retention = Retention()
    textfile: str | None = None
    gateway: str | None = None
    notify: tuple[str, ...] = ()


class Results:
    """Sends results.  What cannot work at all is said before the analysis, which may take long.

    Raises:
        UsageError: a package that a target needs is not installed, or an address is none.
        CannotWriteError: a folder cannot be made.
    """

    def __init__(self, targets: Targets, render: Render) -> None:
        self._targets = targets
        self._render = render
        self._place: Place | None = None if targets.folder is None else place_of(targets.folder)
        if targets.textfile is not None and not Path(targets.textfile).absolute().parent.is_dir():
            raise CannotWriteError(f"{targets.textfile}: there is no such folder")
        if targets.gateway is not None:
            check_gateway(targets.gateway)
        if targets.notify:
            check_notify(targets.notify)

    def send(
        self, history: History, recorded: Recorded, options: Options, inputs: Sequence[str]
    ) -> Iterator[tuple[str, bool]]:
        """Send a run's results.

        Args:
            history: the run is in it.
            recorded: the run.
            options: how a person wants it.
            inputs: what was read, which nothing is written to.

        Yields:
            Sentences on what went wrong, each with whether something is missing now that should be kept.
        """
        yield from self._keep(history, recorded)
        yield from self._measure(recorded.report, inputs)
        yield from self._tell(history, recorded, options)

    def _keep(self, history: History, recorded: Recorded) -> Iterator[tuple[str, bool]]:
        if self._place is None:
            return
        report = recorded.report
        files: dict[str, bytes] = {}
        for name in self._targets.formats:
            try:
                rendered = self._render(name, report)
            except FlowdiagError as error:
                yield f"reports: {name} cannot be made: {error}", True
                continue
            data = rendered.encode("utf-8", "backslashreplace") if isinstance(rendered, str) else rendered
            files[_ENDINGS.get(name, name)] = data
        try:
            said = put_reports(
                self._place,
                history,
                run=recorded.run,
                at=report.created,
                files=files,
                retention=self._targets.retention,
            )
        except FlowdiagError as error:
            yield f"reports: {error}", True
            return
        for text in said:
            yield f"reports: {text}", False

    def _measure(self, report: Report, inputs: Sequence[str]) -> Iterator[tuple[str, bool]]:
        if self._targets.textfile is None and self._targets.gateway is None:
            return
        text = str(self._render("openmetrics", report))
        if self._targets.textfile is not None:
            try:
                check_no_input(self._targets.textfile, inputs)
                write_file(self._targets.textfile, text)
            except CannotWriteError as error:
                yield f"metrics: {error}", True
        if self._targets.gateway is not None:
            failed = push(self._targets.gateway, text)
            if failed is not None:
                yield failed, False

    def _tell(self, history: History, recorded: Recorded, options: Options) -> Iterator[tuple[str, bool]]:
        if not self._targets.notify or not recorded.to_tell:
            return
        report = recorded.report
        wanted = set(recorded.to_tell)
        told = [p for key, p in zip(keys_of(report.problems), report.problems, strict=True) if key in wanted]
        attachments: dict[str, tuple[str, bytes]] = {}
        for name, file, mime in (
            ("markdown", "report.md", "text/markdown"),
            ("png", "report.png", "image/png"),
        ):
            try:
                rendered = self._render(name, report)
            except FlowdiagError as error:
                yield f"notification without {file}: {error}", False
                continue
            data = rendered.encode("utf-8", "backslashreplace") if isinstance(rendered, str) else rendered
            attachments[file] = (mime, data)
        title, body = notice(report, told, options)
        failed = notify(self._targets.notify, title=title, body=body, attachments=attachments)
        for text in failed:
            yield text, False
        if len(failed) < len(self._targets.notify):
            # If one address took it, it is not sent again: that address would get it twice.
            try:
                history.told(recorded.scope, recorded.to_tell)
            except FlowdiagError as error:
                yield f"{error}; the next run tells the news again", False
