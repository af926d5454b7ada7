"""RPM package files read without rpm: strict headers, bounded payloads, nothing trusted.

``read_package`` gives lead, signature header and main header; ``extract_rpm`` takes
files out. Anything that is not exactly as the format says raises ``BadPackage``.
"""

from hamkit.rpmfiles.extract import extract_rpm
from hamkit.rpmfiles.header import BadPackage, Header, Lead
from hamkit.rpmfiles.package import Package, read_package

__all__ = ["BadPackage", "Header", "Lead", "Package", "extract_rpm", "read_package"]
