"""The report: one HTML page that opens offline and says what was built and how good it is."""

from raymed.report.export import Published, publish_report
from raymed.report.page import write_report

__all__ = ["Published", "publish_report", "write_report"]
