"""The report: one HTML page that opens offline and says what was built and how good it is."""

from raymed.report.comparison import COMPARISON_FILES, write_comparison
from raymed.report.export import Published, publish_report
from raymed.report.page import write_report

__all__ = [
    "COMPARISON_FILES",
    "Published",
    "publish_report",
    "write_comparison",
    "write_report",
]
