"""The report: one HTML page that opens offline and says what was built and how good it is."""

from raymed.report.comparison import COMPARISON_FILES, write_comparison
from raymed.report.page import write_report

__all__ = ["COMPARISON_FILES", "write_comparison", "write_report"]
