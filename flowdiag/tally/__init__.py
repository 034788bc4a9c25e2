"""Events folded into distinct flows, counted in time: what is kept does not grow with the records.

`Tally.add` takes any event, `Tally.take` a whole block (through a parser's own `fold` where it has one).
Tallies of parts merge in any order to the tally of the whole.
"""

from typing import TYPE_CHECKING

from flowdiag.model.front import front_door

if TYPE_CHECKING:
    from flowdiag.tally.inputs import InputCounts
    from flowdiag.tally.kept import Sighting
    from flowdiag.tally.limits import Limits
    from flowdiag.tally.tally import Tally
    from flowdiag.tally.view import FlowView

__all__ = ["FlowView", "InputCounts", "Limits", "Sighting", "Tally"]

__getattr__ = front_door(
    __name__,
    {
        "inputs": ("InputCounts",),
        "kept": ("Sighting",),
        "limits": ("Limits",),
        "tally": ("Tally",),
        "view": ("FlowView",),
    },
)
