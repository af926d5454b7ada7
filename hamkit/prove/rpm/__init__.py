"""Is a package acceptable to the rpm of a distribution? Our own judgement, and the real rpm's."""

from hamkit.prove.rpm.checker import check
from hamkit.prove.rpm.findings import CheckRequest, CheckResult, Finding
from hamkit.prove.rpm.real import real_checks
from hamkit.prove.rpm.report import COLUMNS, as_json, as_sarif, rows

__all__ = [
    "COLUMNS",
    "CheckRequest",
    "CheckResult",
    "Finding",
    "as_json",
    "as_sarif",
    "check",
    "real_checks",
    "rows",
]
