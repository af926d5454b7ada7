"""The last job of each distribution, kept so that a shell can be had where it ran."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError

from hamkit import LABEL
from hamkit.build.engine import Engine, Job, pack
from hamkit.errors import UserError
from hamkit.files import cache_root, folder_whole, write_whole
from hamkit.run import interactive, paste

BANNER = "cat /job/README; exec bash"


class Kept(BaseModel):
    """What is needed to stand where the job stood."""

    image: str
    argv: tuple[str, ...]
    env: Mapping[str, str]


def keep(distro: str, job: Job) -> None:
    """Remember a job; the one before is forgotten."""
    with folder_whole(_folder(distro)) as work:
        kept = Kept(image=job.image, argv=tuple(job.argv), env=dict(job.env))
        write_whole(work / "job.json", kept.model_dump_json(indent=2))
        for name, content in job.files.items():
            write_whole(work / "files" / name, content)


def load(distro: str) -> tuple[Kept, dict[str, bytes]]:
    """The last job and its input files. Raises UserError when there was none."""
    folder = _folder(distro)
    try:
        kept = Kept.model_validate_json((folder / "job.json").read_bytes())
    except (OSError, ValidationError, json.JSONDecodeError) as bad:
        raise UserError(
            f"nothing was built for {distro} yet", f"invoke build --distro {distro} comes first"
        ) from bad
    files = folder / "files"
    return kept, {p.relative_to(files).as_posix(): p.read_bytes() for p in files.rglob("*") if p.is_file()}


def shell(distro: str, engine: Engine) -> int:
    """An interactive shell in the image of the last job, its input in /job/in; the shell's status.

    Raises UserError when nothing was built, or when the image is gone.
    """
    kept, files = load(distro)
    if engine.image_id(kept.image) is None:
        raise UserError(
            f"the image of the last run, {kept.image}, is gone", f"invoke image --distro {distro}"
        )
    command = f"The command of the last run, to be repeated here:\n\n    {paste(kept.argv)}\n\n"
    made = engine.api.create_container(
        kept.image,
        ["/bin/sh", "-c", BANNER],
        environment=dict(kept.env),
        working_dir="/job/in",
        stdin_open=True,
        tty=True,
        labels={LABEL: "shell"},
        host_config=engine.api.create_host_config(auto_remove=True, network_mode="none", init=True),
    )
    laid = {f"job/in/{name}": content for name, content in files.items()} | {"job/README": command.encode()}
    engine.api.put_archive(made["Id"], "/", pack(laid))
    try:
        return interactive(["docker", "start", "--attach", "--interactive", made["Id"]], "docker.io")
    finally:
        engine.remove(made["Id"])


def _folder(distro: str) -> Path:
    return cache_root() / "last" / distro
