"""What hot-add costs a 2.4 kernel: counted in the guest, held against limits, remembered."""

from hamkit.files import project_root

LIMITS = project_root() / "specs" / "limits" / "overhead.toml"
