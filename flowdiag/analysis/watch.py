"""Following a stream: records are counted here as they come, and reports of the last minutes are made in another process.

Both are stages of an ordinary run.  The tally forgets what is older than the window, and a worker process of low
priority turns copies of it into reports, so that replaying policies never holds up the stream.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from msgspec.structs import replace

from flowdiag.analysis.objects import some_objects
from flowdiag.analysis.options import EvidenceOptions, Selection, StateOptions, read_options
from flowdiag.analysis.reread import Told
from flowdiag.analysis.summaries import summary
from flowdiag.analysis.window_report import WindowJob, in_the_background, make_report, objects_of, report_of
from flowdiag.ingest.fold import said, take
from flowdiag.ingest.follow import Follower, tail_of
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.server import uninterrupted, worker_context
from flowdiag.model.errors import InputError
from flowdiag.model.interrupts import temporary_folder
from flowdiag.model.picture import Picture
from flowdiag.model.report import Report, ReportWarning
from flowdiag.model.time import NS
from flowdiag.model.words import plural
from flowdiag.parserkit import Block
from flowdiag.tally import Tally

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

__all__ = ["Watch"]

_WAIT_S = 0.2
_SILENT_S = 0.5
"""After this much silence a record that might go on is taken for whole."""
_RATE_S = 5.0
_SHARE = 20
"""The next report is asked for no sooner than after so many times the time for which the last one held the stream up."""
_AHEAD_NS = 60 * NS
"""How far ahead of this machine's clock a record's time may be; later ones do not tell what time it is."""


class Watch:
    """One stream, followed; a context manager.

    Args:
        path: a file that grows, or ``-``.
        evidence: how it is read.
        state: cluster objects; those of a running cluster are read again now and then.
        selection: which traffic counts; its times are set here.
        window: how far back the picture reaches, nanoseconds.
        stdin: what ``-`` reads.
        command: the command line that asks for it, for the report to tell.

    Raises:
        InputError: the file cannot be opened, or there are no cluster objects where `state` says.
        ClusterError: the live cluster cannot be read.
    """

    def __init__(
        self,
        path: str,
        *,
        evidence: EvidenceOptions,
        state: StateOptions,
        selection: Selection,
        window: int,
        stdin: BinaryIO,
        command: str | None = None,
    ) -> None:
        objects = objects_of(state)
        if state.paths:
            some_objects(objects.inputs, state.paths)
        try:
            self._tail = tail_of(path, stdin)
        except OSError as error:
            raise InputError(
                f"{path}: {error.strerror or error}", hint="name a file that grows, or - for standard input"
            ) from error
        self._follower = Follower(path, read_options(evidence))
        self._evidence, self._state, self._selection = evidence, state, selection
        self._window = window
        self._command = command
        self._tally = Tally()
        self._folder: TemporaryDirectory[str] | None = None
        self._pool: ProcessPoolExecutor | None = None
        self._making: Future[tuple[Report, list[Told]]] | None = None
        self._told: list[Told] = []
        self._report: Report | None = None
        self._failed: str | None = None
        self._reported = 0
        self._not_before = 0.0
        self._forgotten = 0
        self._paces: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def __enter__(self) -> Self:
        # Counting makes no cycles, and looking for them among many live counters costs more than the work.
        gc.disable()
        return self

    def __exit__(self, *_: object) -> None:
        gc.enable()
        self._tail.close()
        if self._pool is not None:
            # Otherwise the interpreter would wait for it at its end, and sometimes find its pipes closed.
            self._pool.shutdown(wait=True, cancel_futures=True)
        if self._folder is not None:
            self._folder.cleanup()

    # -- the stream --------------------------------------------------------------------------------

    def pictures(self, every: float, stopped: Callable[[], bool]) -> Iterator[Picture]:
        """Read until the stream ends or `stopped`, and yield what is known about every `every` seconds.

        Raises:
            InputError: the stream's format is unknown.
        """
        due = time.monotonic() + every
        heard = time.monotonic()
        while not stopped():
            data = self._tail.read(max(0.0, min(_WAIT_S, due - time.monotonic())))
            now = time.monotonic()
            if data is not None and not data:
                self._take(self._follower.end())
                return
            if data:
                heard = now
                self._take(self._follower.feed(data))
            else:
                self._take(self._follower.recognise())
                if now - heard >= _SILENT_S:
                    self._take(self._follower.pause())
            if now >= due:
                self._forget()
                self._refresh()
                yield self._picture()
                due = time.monotonic() + every
        self._take(self._follower.end())

    def _take(self, blocks: Iterable[Block]) -> None:
        follower = self._follower
        for block in blocks:
            if follower.context is None:
                return
            try:
                take(self._tally, follower.parser, block, follower.context)
            except Exception as error:  # noqa: BLE001 - a stranger's parser may raise anything; it costs its block.
                message = f"{said(follower.parser.name, error)}; a block was not read"
                problem = InputProblem(follower.name, "worker-failed", message)
                if problem not in follower.problems:
                    follower.problems.append(problem)

    def _newest(self) -> int | None:
        """What time it is by the records; one from a clock far ahead says nothing of that."""
        counts = self._tally.inputs.get(self._follower.name)
        if counts is None or counts.last is None:
            return None
        return min(counts.last, time.time_ns() + _AHEAD_NS)

    def _forget(self) -> None:
        newest = self._newest()
        step = max(self._window // 10, 10 * NS)
        if newest is None or newest - self._forgotten < step:
            return
        self._forgotten = newest
        self._tally.forget(newest - self._window)
        gc.collect()

    # -- reports -----------------------------------------------------------------------------------

    @property
    def started(self) -> bool:
        """Whether enough came in to know what it is."""
        return self._follower.parser is not None

    def report(self) -> Report:
        """A report of the window as it is now, made here.

        Raises:
            InputError: nothing that can be read came in.
        """
        if not self.started:
            raise InputError(
                f"{self._follower.name}: nothing came in"
                if not self._follower.bytes
                else f"{self._follower.name}: too little came in to know what it is",
                hint="feed it records: hubble observe -f -o jsonpb | flowdiag watch -",
            )
        return report_of(replace(self._job(), by_worker=False), self._tally)[0]

    def _refresh(self) -> None:
        """Take the report that is done, and ask for the next where something came in since."""
        if self._making is not None:
            if not self._making.done():
                return
            try:
                (self._report, told), self._failed = self._making.result(), None
                self._told += told
            except BrokenExecutor:
                self._failed, self._pool = "the worker that makes reports died", None
            except Exception as error:  # noqa: BLE001 - a report that fails must not end the watch; it is shown.
                self._failed = f"{type(error).__name__}: {error}"
            self._making = None
        began = time.monotonic()
        if self._tally.records == self._reported or began < self._not_before:
            return
        self._reported = self._tally.records
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=worker_context(), initializer=in_the_background)
        try:
            copy = self._copied()
        except OSError as error:
            self._failed = f"no room for the worker's copy of the window: {error}"
            return
        # The first job starts the worker and its server, which would print tracebacks upon an interrupt.
        with uninterrupted():
            self._making = self._pool.submit(make_report, self._job(), copy)
        self._not_before = began + _SHARE * (time.monotonic() - began)

    def _copied(self) -> str:
        """Write the tally as it is now to a file, which the worker removes; both ends of a pipe would hold all of it."""
        if self._folder is None:
            self._folder = temporary_folder()
        path = Path(self._folder.name, "window")
        with path.open("wb") as out:
            self._tally.write(out)
        return str(path)

    def _job(self) -> WindowJob:
        follower, newest = self._follower, self._newest()
        counts = self._tally.inputs.get(follower.name)
        since = None if newest is None else newest - self._window
        self._told = [one for one in self._told if since is None or (one[1].at or 0) >= since]
        return WindowJob(
            input=summary(follower.name, follower.parser.name, follower.bytes, counts),
            cni=follower.cni,
            warnings=tuple(
                ReportWarning(code=one.code, message=one.message, input=one.path, line=one.line)
                for one in follower.problems
            ),
            evidence=self._evidence,
            state=self._state,
            selection=replace(self._selection, since=since),
            command=self._command,
            told=tuple(self._told),
        )

    def _picture(self) -> Picture:
        now, records = time.monotonic(), self._tally.records
        paces = self._paces
        paces.append((now, records))
        while now - paces[0][0] > _RATE_S and len(paces) > 2:
            paces.popleft()
        then, before = paces[0]
        return Picture(
            newest=self._newest(),
            window=self._window,
            records=records,
            rate=(records - before) / (now - then) if now > then else 0.0,
            report=self._report,
            failed=self._failed,
            unread=self._unread(),
        )

    def _unread(self) -> str | None:
        """A stream that turned into something else looks like a quiet one otherwise."""
        follower = self._follower
        if follower.parser is None:
            return f"{plural(follower.bytes, 'byte')} that nobody knows yet" if follower.bytes else None
        counts = self._tally.inputs.get(follower.name)
        return plural(counts.warnings, "warning") if counts is not None and counts.warnings else None
