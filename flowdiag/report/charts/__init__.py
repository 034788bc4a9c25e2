"""Charts of a report, specified once with altair: inline SVG in the HTML, files for chat.

altair and vl-convert are imported when a chart is drawn, never at start.  The conversion runs without
a browser and may load nothing from outside.  Colours are told apart without seeing them as colours:
every problem has a number, a lane of its own and, in the HTML, a hatching.
"""

from flowdiag.report.charts.ages import age_bins
from flowdiag.report.charts.axis import PALETTE, ChartFrame, charted, frame, others
from flowdiag.report.charts.files import PngReporter, SvgReporter
from flowdiag.report.charts.inline import inline_svg
from flowdiag.report.charts.nodes import busiest_nodes
from flowdiag.report.charts.timeline import beside_bars

__all__ = [
    "PALETTE",
    "ChartFrame",
    "PngReporter",
    "SvgReporter",
    "age_bins",
    "beside_bars",
    "busiest_nodes",
    "charted",
    "frame",
    "inline_svg",
    "others",
]
