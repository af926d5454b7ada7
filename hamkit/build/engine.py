"""Docker Engine: the client, images by digest, and jobs that cannot outlive hamkit.

A job is a container without network that gets its input as a tar stream on
standard input and gives its output as a tar stream on standard output, so it
works the same with a local engine and a remote one and needs no shared folder.
Standard input stays open as a lifeline: when hamkit goes away, in whatever way,
the engine closes it, the job ends, and the engine removes the container.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import struct
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import docker
import docker.errors
import requests.exceptions

from hamkit import LABEL
from hamkit.errors import Failure, MissingNeed
from hamkit.run import TAIL_LINES, Argv, Completed, paste

OURS = "hamkit/"
ANSWER_SECONDS = 5
API_SECONDS = 900
STALE_SECONDS = 30  # another run's container starts within a moment of its making
STDOUT = 1  # of the channels in the attach stream
ELSEWHERE = {"USER": "somebody", "LOGNAME": "somebody", "LANG": "C"}
CALL = '"$@" >/job/out/stdout 2>/job/out/stderr; echo $? >/job/out/status'

# fd 3 is the lifeline; closing it kills every process of the container but this shell's parent.
WRAPPER = """
mkdir -p /job/in /job/out && cd /job/in && tar --no-same-owner -xf - || exit 125
exec 3<&0 </dev/null
( cat <&3 >/dev/null; kill -KILL -1 ) &
"$@" >&2
status=$?
tar -C /job/out --owner=0 --group=0 -cf - . || exit 125
exit $status
"""

EngineErrors = (docker.errors.DockerException, requests.exceptions.RequestException)


@dataclass(frozen=True)
class Job:
    """One command in a container.

    ``files`` (relative path -> content) are laid into /job/in, where the command
    starts; what it leaves in /job/out comes back. Standard error and output go to
    ``log``. ``seconds`` bounds the whole.
    """

    image: str
    argv: Sequence[str]
    files: Mapping[str, bytes]
    log: Path
    env: Mapping[str, str]
    seconds: int = 900
    hostname: str = ""


def elsewhere(job: Job) -> Job:
    """The same job as somebody else would run it: on a machine of another name, with another umask."""
    argv = ["sh", "-c", 'umask 077; exec "$@"', "sh", *job.argv]
    return replace(job, argv=argv, env=dict(job.env) | ELSEWHERE, hostname="elsewhere")


@dataclass(frozen=True)
class JobDone:
    """What a job left: files by relative path, and all that it printed."""

    files: Mapping[str, bytes]
    text: str


class Engine:
    """A reachable Docker Engine."""

    def __init__(self, client: docker.DockerClient) -> None:
        self.client = client
        self.api = client.api

    @classmethod
    def connect(cls) -> Engine:
        """The engine of ``DOCKER_HOST``, else of the default socket.

        Raises MissingNeed when none answers.
        """
        try:
            client = docker.DockerClient.from_env(timeout=ANSWER_SECONDS)
            client.ping()
            client.api.timeout = API_SECONDS
        except EngineErrors as bad:
            where = os.environ.get("DOCKER_HOST", "the default socket")
            raise MissingNeed(
                f"no Docker Engine answers at {where}",
                "install docker.io and start it, or run the task as ./bootstrap TASK, which starts one",
            ) from bad
        return cls(client)

    @property
    def version(self) -> str:
        return str(self.client.version()["Version"])

    def image_id(self, name: str) -> str | None:
        """Digest of an image's configuration (``sha256:...``), None when it is not there."""
        try:
            return str(self.client.images.get(name).id)
        except docker.errors.ImageNotFound:
            return None

    def labels(self, name: str) -> dict[str, str]:
        found: dict[str, str] = self.client.images.get(name).labels
        return found

    def our_images(self) -> tuple[str, ...]:
        """Names of the images that hamkit made."""
        tags = [tag for image in self.client.images.list() for tag in image.tags]
        return tuple(sorted(tag for tag in tags if tag.startswith(OURS)))

    def remove_images(self, names: Sequence[str]) -> None:
        """Remove images by name. Raises Failure when one is in use."""
        try:
            for name in names:
                self.client.images.remove(name)
        except EngineErrors as bad:
            raise Failure(f"the engine kept an image: {bad}", "end the containers that use it") from bad

    def pull(self, reference: str) -> str | None:
        """Pull an image; its digest, or None when it cannot be had (no network, no such image)."""
        try:
            return str(self.client.images.pull(reference).id)
        except EngineErrors:
            return None

    def import_rootfs(self, tar: Path, name: str, labels: Mapping[str, str]) -> str:
        """Make an image from a root file system; returns its digest."""
        repository, tag = name.rsplit(":", 1)
        changes = [f'LABEL "{key}"="{value}"' for key, value in sorted(labels.items())]
        with tar.open("rb") as stream:
            self.api.import_image_from_data(stream, repository=repository, tag=tag, changes=changes)
        made = self.image_id(name)
        if made is None:
            raise Failure(f"the engine imported {tar.name} but does not know {name}")
        return made

    def build(self, dockerfile: str, name: str, log: Path, told: Callable[[str], None]) -> str:
        """Build an image from a Dockerfile without context; returns its digest.

        With one step on top of its base, a build that is cut off leaves no layer behind. The
        network is the host's: this is the one stage that installs. Raises Failure with the
        last lines of the build.
        """
        lines: list[str] = []
        stream = self.api.build(
            fileobj=io.BytesIO(dockerfile.encode()),
            tag=name,
            network_mode="host",
            rm=True,
            forcerm=True,
            decode=True,
        )
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as sink:
            for event in stream:
                for line in str(event.get("stream", "")).splitlines():
                    sink.write(line + "\n")
                    lines.append(line)
                    told(line)
                if "error" in event:
                    tail = "\n".join(line for line in lines[-TAIL_LINES:] if line.strip())
                    why = str(event["error"]).rpartition("returned ")[2]
                    raise Failure(f"the image {name} did not build: {why}\n{tail}", f"whole log: {log}")
        made = self.image_id(name)
        if made is None:
            raise Failure(f"the engine built {name} but does not know it", f"whole log: {log}")
        return made

    def sweep(self) -> None:
        """Remove what a killed run may have left: image layers, a container killed before its start."""
        with contextlib.suppress(*EngineErrors):
            old = f"{STALE_SECONDS}s"  # what another run has built and not yet named is not dangling
            self.client.images.prune(filters={"dangling": True, "label": LABEL, "until": old})
            created = self.api.containers(all=True, filters={"label": LABEL, "status": "created"})
            for container in created:
                if time.time() - container["Created"] >= STALE_SECONDS:
                    self.remove(container["Id"])

    def run(self, job: Job, told: Callable[[str], None]) -> JobDone:
        """Run a job to its end.

        Raises Failure (non-zero status, with the last lines) or MissingNeed (engine gone).
        """
        try:
            status, archive, text = self._run(job, told)
        except EngineErrors as bad:
            raise Failure(f"the engine could not run the job: {bad}", f"image {job.image}") from bad
        if status != 0:
            raise Failure(
                f"{job.argv[0]} ended with status {status} in the image:\n"
                + "\n".join(text.splitlines()[-TAIL_LINES:]),
                f"whole log: {job.log}",
            )
        return JobDone(unpack(archive), text)

    def call(self, image: str, argv: Argv, file: Path, log: Path) -> Completed:
        """Run a program of the image on one file of this machine; any status is a result.

        ``file`` stands in ``argv`` by its path here. Raises Failure when the job cannot run.
        """
        words = [file.name if word == file else os.fspath(word) for word in argv]
        begin = time.monotonic()
        job = Job(image, ["sh", "-c", CALL, "sh", *words], {file.name: file.read_bytes()}, log, {})
        left = {
            name: raw.decode(errors="replace") for name, raw in self.run(job, lambda _: None).files.items()
        }
        seconds = time.monotonic() - begin
        return Completed(tuple(words), int(left["status"]), left["stdout"], left["stderr"], seconds)

    def _run(self, job: Job, told: Callable[[str], None]) -> tuple[int, bytes, str]:
        container = self._create(job)
        try:
            with self._attach(container) as pipe:
                self.api.start(container)
                ended = _Waiter(self, container, job.seconds, pipe)
                pipe.sendall(pack(job.files))
                archive, text = self._collect(pipe, job, told)
            return ended.status(job), archive, text
        finally:
            self.remove(container)

    def remove(self, container: str) -> None:
        """Make sure that a container is gone."""
        with contextlib.suppress(*EngineErrors):
            self.api.remove_container(container, force=True)

    def _create(self, job: Job) -> str:
        host = self.api.create_host_config(
            auto_remove=True, network_mode="none", init=True, security_opt=["no-new-privileges"]
        )
        made = self.api.create_container(
            job.image,
            ["/bin/sh", "-c", WRAPPER, "job", *job.argv],
            environment=dict(job.env),
            stdin_open=True,
            labels={LABEL: "job"},
            host_config=host,
            user="0:0",
            hostname=job.hostname or None,
        )
        return str(made["Id"])

    @contextlib.contextmanager
    def _attach(self, container: str) -> Iterator[socket.socket]:
        params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        wrapped: Any = self.api.attach_socket(container, params=params)
        pipe: socket.socket = getattr(wrapped, "_sock", wrapped)
        pipe.settimeout(None)
        try:
            yield pipe
        finally:
            wrapped.close()
            pipe.close()

    def _collect(self, pipe: socket.socket, job: Job, told: Callable[[str], None]) -> tuple[bytes, str]:
        archive, text = io.BytesIO(), bytearray()
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with job.log.open("ab") as sink:
            sink.write(f"$ {paste(job.argv)}\n".encode())
            for channel, piece in frames(pipe):
                if channel == STDOUT:
                    archive.write(piece)
                else:
                    sink.write(piece)
                    text += piece
                    told(piece.decode(errors="replace").rstrip().rpartition("\n")[2])
        return archive.getvalue(), text.decode(errors="replace")


class _Waiter:
    """Waits for a container from a thread, so that the status is caught before it is removed."""

    def __init__(self, engine: Engine, container: str, seconds: int, pipe: socket.socket) -> None:
        self._engine, self._container, self._seconds, self._pipe = engine, container, seconds, pipe
        self._status: int | None = None
        self._late = False
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        try:
            answer = self._engine.api.wait(self._container, timeout=self._seconds, condition="removed")
            self._status = int(answer["StatusCode"])
        except EngineErrors:
            self._late = True
            with contextlib.suppress(OSError):
                self._pipe.shutdown(socket.SHUT_RDWR)

    def status(self, job: Job) -> int:
        self._thread.join()
        if self._late or self._status is None:
            raise Failure(f"{job.argv[0]} did not end within {job.seconds} s", f"whole log: {job.log}")
        return self._status


def frames(pipe: socket.socket) -> Iterator[tuple[int, bytes]]:
    """The engine's attach stream: (channel, piece); 8-byte headers, big-endian length."""
    with pipe.makefile("rb") as stream:
        while len(head := _exactly(stream, 8)) == 8:
            channel, length = struct.unpack(">BxxxL", head)
            yield channel, _exactly(stream, length)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    return stream.read(size) or b""


def pack(files: Mapping[str, bytes]) -> bytes:
    """A tar archive of regular files, the same bytes for the same files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def unpack(archive: bytes) -> dict[str, bytes]:
    """Regular files of a tar archive by relative path."""
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                found[member.name.removeprefix("./")] = content.read()
    return found
