"""Is a package acceptable to the rpm of a distribution? Our own judgement, and the real rpm's."""

from hamkit.prove.rpm.checker import check
from hamkit.prove.rpm.findings import CheckRequest, CheckResult, Finding
from hamkit.prove.rpm.real import Program, program_checks, real_checks, real_programs
from hamkit.prove.rpm.report import COLUMNS, as_json, as_sarif, rows

__all__ = [
    "COLUMNS",
    "CheckRequest",
    "CheckResult",
    "Finding",
    "Program",
    "as_json",
    "as_sarif",
    "check",
    "program_checks",
    "real_checks",
    "real_programs",
    "rows",
]
