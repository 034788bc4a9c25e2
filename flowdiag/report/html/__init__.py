"""The report as one HTML file that needs nothing from outside."""

from flowdiag.report.html.reporter import HtmlReporter

__all__ = ["HtmlReporter"]
