"""Which commit of hamkit's own sources a run was made from."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from hamkit.errors import HamkitError
from hamkit.run import run


class Source(BaseModel):
    """The checkout's commit; when files differed from it, the commit alone does not repeat the run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    commit: str | None = Field(None, pattern=r"^[0-9a-f]{40,64}$", description="null when not known")
    modified: bool = Field(
        False, description="files of the checkout differed from the commit, or were not in it"
    )

    @classmethod
    def of(cls, root: Path) -> Source:
        """The state of the git checkout at ``root``; nothing is known without git or outside a checkout."""
        try:
            commit = run(["git", "-C", root, "rev-parse", "--verify", "HEAD"]).stdout.strip()
            # No optional locks: looking must not get in the way of a commit made meanwhile.
            changed = run(["git", "--no-optional-locks", "-C", root, "status", "--porcelain"]).stdout
        except HamkitError:
            return cls(commit=None, modified=False)
        return cls(commit=commit, modified=bool(changed.strip()))
