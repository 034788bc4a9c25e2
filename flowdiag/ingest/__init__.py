"""From paths to events: opening, unpacking, peeling wrappers, detecting, cutting into blocks, running.

This room knows nothing of what records mean; parsers say that, and tally keeps it.
Start with `sources` (what is there), then `identify` (what it is), `blocks` (how a parser gets it) and `execute`
(who does the work).

What an input is, is worked out in three steps: `heads` looks at one head, `detect` at one input, and `identify` at all
inputs of a run.  What they find are the values of `detection`.
"""

from typing import TYPE_CHECKING

from flowdiag.model.front import front_door

if TYPE_CHECKING:
    from flowdiag.ingest.bundles import Hint, Role, recognise
    from flowdiag.ingest.detection import Detection, InputKind, Score
    from flowdiag.ingest.events import iter_events
    from flowdiag.ingest.execute import Outcome, Progress, run
    from flowdiag.ingest.identify import detect_all
    from flowdiag.ingest.options import ReadOptions
    from flowdiag.ingest.problems import InputProblem
    from flowdiag.ingest.reading import Source
    from flowdiag.ingest.sources import Gathered

__all__ = [
    "Detection",
    "Gathered",
    "Hint",
    "InputKind",
    "InputProblem",
    "Outcome",
    "Progress",
    "ReadOptions",
    "Role",
    "Score",
    "Source",
    "detect_all",
    "iter_events",
    "recognise",
    "run",
]

__getattr__ = front_door(
    __name__,
    {
        "bundles": ("Hint", "Role", "recognise"),
        "detection": ("Detection", "InputKind", "Score"),
        "events": ("iter_events",),
        "execute": ("Outcome", "Progress", "run"),
        "identify": ("detect_all",),
        "options": ("ReadOptions",),
        "problems": ("InputProblem",),
        "reading": ("Source",),
        "sources": ("Gathered",),
    },
)
