"""A moment of a running machine that one can go back to, as often as one likes.

QEMU keeps it in an image beside its control socket; memory that holds zeros takes no room there.
"""

from __future__ import annotations

import os
import time
from itertools import count

from hamkit.errors import Failure
from hamkit.prove.qemu import Session

NODE, TAG = "still", "still"
IMAGE_BYTES = 1 << 20  # of the disk in the image, which nobody uses; what is kept lies behind it
SECONDS = 300.0
TICK = 0.01


class Still:
    """The moment at which it was made. Not to be shared between threads."""

    def __init__(self, running: Session) -> None:
        """Keep the moment; the machine goes on. Raises Failure when QEMU cannot."""
        self._running, self._numbers = running, count()
        running.patience = SECONDS  # while it saves or loads, QEMU answers nobody
        path = os.fspath(running.control.with_name("still.qcow2"))
        raw = {"driver": "file", "filename": path}
        self._job("blockdev-create", options={**raw, "size": 0})
        running.execute("blockdev-add", **{**raw, "node-name": f"{NODE}-file"})
        self._job("blockdev-create", options={"driver": "qcow2", "file": f"{NODE}-file", "size": IMAGE_BYTES})
        running.execute("blockdev-add", driver="qcow2", file=f"{NODE}-file", **{"node-name": NODE})
        self._job("snapshot-save", tag=TAG, vmstate=NODE, devices=[NODE])

    def back(self) -> None:
        """Back to the moment, with the machine running. Raises Failure."""
        self._running.execute("stop")
        self._job("snapshot-load", tag=TAG, vmstate=NODE, devices=[NODE])
        self._running.execute("cont")

    def _job(self, command: str, **arguments: object) -> None:
        name = f"{NODE}-{next(self._numbers)}"
        self._running.execute(command, **{"job-id": name, **arguments})
        deadline = time.monotonic() + SECONDS
        while (job := self._look(name)).get("status") != "concluded":
            if time.monotonic() > deadline:
                raise Failure(f"QEMU's {command} is not done after {SECONDS:.0f} s", "run again")
            if self._running.wait(TICK):
                raise Failure(f"QEMU ended during {command}", "see the log of its messages")
        self._running.execute("job-dismiss", id=name)
        if job.get("error"):
            raise Failure(f"QEMU's {command} failed: {job['error']}", "its image lies below TMPDIR")

    def _look(self, name: str) -> dict[str, str]:
        jobs = self._running.execute("query-jobs")
        found = next((j for j in jobs if isinstance(j, dict) and j.get("id") == name), {})
        return {str(key): str(value) for key, value in found.items()}
