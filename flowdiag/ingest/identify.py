"""What each input of a run is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from flowdiag.ingest.alike import Alike, name_pattern
from flowdiag.ingest.among import told_apart
from flowdiag.ingest.bundles import Hint, recognise
from flowdiag.ingest.detect import detect
from flowdiag.ingest.detection import Detection, InputKind
from flowdiag.ingest.events_apart import events_apart
from flowdiag.ingest.mixed import laid_apart
from flowdiag.ingest.options import ReadOptions
from flowdiag.ingest.plugins import parser_named, parsers
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.reading import Source
from flowdiag.ingest.remote import at_once
from flowdiag.ingest.sources import Gathered
from flowdiag.ingest.years import with_years
from flowdiag.model.words import plural

__all__ = ["detect_all"]


def detect_all(
    gathered: Gathered, options: ReadOptions, *, whole: bool = False
) -> tuple[list[Detection], list[InputProblem]]:
    """Say what each source is.

    Args:
        gathered: the sources.
        options: how to read.
        whole: ask every parser about every file, also about one that looks like others of its name.

    Raises:
        UsageError: the forced format is unknown.
        PluginError: it is broken.
    """
    if options.format is not None:
        parser_named(options.format)
    known, problems = parsers()
    hints = recognise(gathered.sources)
    alike = Alike(known, options, len(gathered.sources))
    first_of = {name_pattern(source): source for source in reversed(gathered.sources)}
    paths = [source.path for source in gathered.sources]

    uniform: set[str] = set()
    """Inputs whose lines at both ends are known to be one parser's."""

    def of_any(source: Source) -> Detection:
        hint = hints[source.name]
        same = None if whole else alike.like_any(source, hint)
        if same is None:
            return alike.learn(detect(source, hint, known, options))
        uniform.add(source.name)
        return same

    asked = [source for source in gathered.sources if whole or first_of[name_pattern(source)] is source]
    by_name = {one.source.name: one for one in at_once(of_any, asked, paths)}

    def like(source: Source) -> Detection:
        if source.name in by_name:
            return by_name[source.name]
        hint = hints[source.name]
        return alike.like_named(source, hint) or detect(source, hint, known, options)

    def ask(source: Source) -> Detection:
        return detect(source, Hint(), known, options)

    whats = [
        part
        for one in _brought(at_once(like, gathered.sources, paths), gathered)
        for part in laid_apart(one, gathered.spool, ask, uniform=one.source.name in uniform)
    ]
    if options.listed_events is not None:
        listed = options.listed_events
        # A forced format is not meant for cluster objects, and so not for the Events among them.
        freely = replace(options, format=None)

        def ask_of_events(source: Source) -> Detection:
            return detect(source, Hint(), known, freely)

        whats = [part for one in whats for part in events_apart(one, gathered.spool, ask_of_events, listed)]
    whats = [part for one in whats for part in told_apart(one)]
    found, turned = with_years(whats, known, options)
    return found, [
        *gathered.problems,
        *problems,
        *turned,
        *_at_fault(found),
        *(problem for one in found for problem in one.problems),
    ]


def _brought(found: list[Detection], gathered: Gathered) -> list[Detection]:
    """Copy cluster objects from buckets into the spool: they are read here, and searched for Events and records."""
    there = [one for one in found if one.kind is InputKind.STATE and one.source.remote]
    if not there:
        return found
    copies = dict(
        zip((one.source.path for one in there), gathered.fetched([one.source for one in there]), strict=True)
    )
    # What cannot be fetched stays, and reading it will say so.
    return [
        replace(one, source=copy) if isinstance(copy := copies.get(one.source.path), Source) else one
        for one in found
    ]


def _at_fault(found: Sequence[Detection]) -> Iterator[InputProblem]:
    """Promises that parsers broke when they were asked: each once, with the first input where it happened."""
    inputs: dict[str, list[str]] = {}
    for one in found:
        for fault in one.faults:
            inputs.setdefault(fault, []).append(one.source.name)
    for fault, names in inputs.items():
        more = f" and {plural(len(names) - 1, 'more input')}" if len(names) > 1 else ""
        message = f"{fault}, asked about {names[0]}{more}; it was not asked to read what it failed on"
        yield InputProblem("plugins", "broken-plugin", message)
