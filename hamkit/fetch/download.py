"""One file from a URL: resumed where it was cut, never taken for whole when it is not.

What has arrived lies in a hidden file beside the target, with a note of what it is part of. A server that
cannot tell that the file is still the same (no ETag, no Last-Modified), or that does not serve parts, is
asked for all of it again.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import requests
import urllib3

from hamkit.errors import HamkitError, MissingNeed, UserError
from hamkit.fetch.names import shown
from hamkit.files import write_whole
from hamkit.kernel.unpack import LARGEST
from hamkit.progress import Progress, Quiet, Step

CHUNK = 1 << 16
MB = 1 << 20
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "hamkit"}
AGAIN = (408, 429, 500, 502, 503, 504)  # what may be over in a moment


@dataclass(frozen=True)
class Patience:
    """``tries`` without a byte of progress, seconds to connect, between two pieces, and before trying
    again (doubled each time); ``largest``: bytes of a file, which is ``what``."""

    tries: int = 4
    connect: float = 20.0
    read: float = 60.0
    pause: float = 1.0
    largest: int = LARGEST
    what: str = "kernel source"

    @property
    def limit(self) -> str:
        return f"no {self.what} has more than {self.largest}"


PATIENCE = Patience()


@dataclass(frozen=True)
class Origin:
    """What a part is part of; ``validator`` is the server's word for this content, empty when it has none."""

    url: str
    validator: str = ""
    total: int | None = None


class Interrupted(Exception):
    """The connection broke or the server had a weak moment: worth another try."""


class Part:
    """What has arrived so far of ``target``."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f".{target.name}.part")
        self._note = target.with_name(f".{target.name}.part.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def origin(self) -> Origin | None:
        """What the part is of; None when there is none, or no telling."""
        try:
            return Origin(**json.loads(self._note.read_text(encoding="utf-8"))) if self.size else None
        except (OSError, ValueError, TypeError):
            return None

    def begin(self, origin: Origin) -> None:
        """Start over. The note comes first: a part without one is never gone on with."""
        self.drop()
        write_whole(self._note, json.dumps(asdict(origin)))

    def opened(self) -> BinaryIO:
        return self.path.open("ab")

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def become(self, target: Path) -> None:
        with self.path.open("rb") as stream:
            os.fsync(stream.fileno())
        self.path.replace(target)
        self._note.unlink(missing_ok=True)


def download(urls: Sequence[str], part: Part, progress: Progress, patience: Patience = PATIENCE) -> str:
    """Make ``part`` whole from the first of these mirrors that has the file; returns its URL.

    Raises MissingNeed when one cannot be reached, UserError when none has such a file; what has arrived is
    kept for the next run.
    """
    said: list[HamkitError] = []
    with requests.Session() as session, progress.step(f"download {urls[0].rpartition('/')[2]}") as step:
        for url in urls:
            try:
                if urlsplit(url).scheme.lower() == "file":
                    _copy(url, part, patience)
                else:
                    _from(session, url, part, step, patience)
                return url
            except HamkitError as bad:
                said.append(bad)
    if len(said) == 1:
        raise said[0]
    worst = MissingNeed if any(isinstance(bad, MissingNeed) for bad in said) else UserError
    raise worst("; ".join(bad.message for bad in said), said[-1].hint)


def fetch(url: str, target: Path, limit: int, what: str) -> Path:
    """One file from a URL (http, https), made anew: ``what`` it is, and how many bytes such a one may have.

    Raises as ``download`` does, and UserError for what is no such URL.
    """
    parts = urlsplit(url)
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise UserError(f"not a URL that can be fetched: {shown(url)}", "http or https, without a password")
    part = Part(target)
    part.drop()
    try:
        download([url], part, Quiet(), Patience(tries=2, largest=limit, what=what))
    except HamkitError:
        part.drop()
        raise
    part.become(target)
    return target


def _copy(url: str, part: Part, patience: Patience) -> None:
    path = Path(unquote(urlsplit(url).path))
    try:
        with path.open("rb") as source:
            if os.fstat(source.fileno()).st_size > patience.largest:
                raise UserError(f"{path} is too large", patience.limit)
            part.begin(Origin(url))
            with part.opened() as stream:
                shutil.copyfileobj(source, stream)
    except OSError as bad:
        raise UserError(f"cannot read {path}: {bad.strerror}", "give another URL") from bad


def _from(session: requests.Session, url: str, part: Part, step: Step, patience: Patience) -> None:
    """All of the file from one server, with as many tries as bring something new."""
    left, pause, most = patience.tries, patience.pause, part.size
    while True:
        try:
            return _try(session, url, part, step, patience)
        except Interrupted as bad:
            fresh, most = part.size > most, max(most, part.size)
            left, pause = (patience.tries, patience.pause) if fresh else (left - 1, pause * 2)
            if left <= 0:
                raise MissingNeed(f"cannot download {shown(url)}: {bad}", "try again later") from bad
            step.note(f"{bad}; trying again")
            time.sleep(pause)


def _try(session: requests.Session, url: str, part: Part, step: Step, patience: Patience) -> None:
    known = part.origin()
    if known and (known.url != url or not known.validator):
        known = None
    if known and known.total == part.size:
        return
    headers = dict(HEADERS)
    if known:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": known.validator}
    with _asked(session, url, headers, patience) as answer:
        rest = answer.status_code == 206
        begin, total = _range(answer) if rest else (0, _length(answer))
        if answer.status_code == 416 or (
            rest and (known is None or (begin, total) != (part.size, known.total))
        ):
            part.drop()
            raise Interrupted("the server has another part than was asked for")
        if total is not None and total > patience.largest:
            raise UserError(f"{shown(url)} has {total} bytes", patience.limit)
        if not rest:
            part.begin(Origin(url, _validator(answer), total))
        _receive(answer, part, total, step, patience)


@contextlib.contextmanager
def _asked(
    session: requests.Session, url: str, headers: dict[str, str], patience: Patience
) -> Iterator[requests.Response]:
    """The server's answer, if it is one of success; what breaks while it is read is an interruption."""
    try:
        with session.get(
            url, headers=headers, stream=True, timeout=(patience.connect, patience.read)
        ) as answer:
            _judge(url, answer)
            yield answer
    except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as bad:
        raise Interrupted(_reason(bad)) from bad
    except requests.RequestException as bad:
        raise UserError(f"cannot download {shown(url)}: {_reason(bad)}", "give another URL") from bad


def _judge(url: str, answer: requests.Response) -> None:
    status = answer.status_code
    path = [*(hop.url for hop in answer.history), answer.url]
    if url.startswith("https:") and any(not hop.startswith("https:") for hop in path):
        raise UserError(f"{shown(url)} leads to {shown(path[-1])}, which nothing protects", "give that URL")
    if status in AGAIN:
        raise Interrupted(f"the server says {status} {answer.reason}")
    if status not in (200, 206, 416):
        raise UserError(f"{shown(url)}: the server says {status} {answer.reason}", "give another URL")


def _receive(
    answer: requests.Response, part: Part, total: int | None, step: Step, patience: Patience
) -> None:
    done, begin, first = part.size, time.monotonic(), part.size
    with part.opened() as stream:
        while piece := answer.raw.read1(CHUNK, decode_content=False):
            done += len(piece)
            if done > (patience.largest if total is None else total):
                break
            stream.write(piece)
            rate = (done - first) / MB / max(time.monotonic() - begin, 0.001)
            whole = f" of {total / MB:.1f}" if total else ""
            step.note(f"{done / MB:.1f}{whole} MB, {rate:.1f} MB/s")
    limit = patience.largest if total is None else total
    if done > limit:
        part.drop()
        raise UserError(
            f"{shown(answer.url)} sends more than {limit} bytes",
            f"that is no {patience.what}" if total is None else "its server is broken: give another URL",
        )
    if total is not None and done < total:
        raise Interrupted(f"the connection ended after {done} of {total} bytes")


def _length(answer: requests.Response) -> int | None:
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def _range(answer: requests.Response) -> tuple[int, int | None]:
    """First byte and whole size of a part, by ``Content-Range: bytes 5-9/10``; -1 when it does not say."""
    unit, _, rest = answer.headers.get("Content-Range", "").partition(" ")
    span, _, size = rest.partition("/")
    first = span.partition("-")[0]
    if unit != "bytes" or not first.isdecimal():
        return -1, None
    return int(first), int(size) if size.isdecimal() else None


def _validator(answer: requests.Response) -> str:
    """A strong ETag, else the time of the last change; a weak ETag does not promise the same bytes."""
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _reason(bad: BaseException) -> str:
    """What the system said, else the innermost words of an error."""
    chain = [bad]
    while deeper := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(deeper)
    system = (each.strerror for each in chain if isinstance(each, OSError) and each.strerror)
    return next(system, str(chain[-1]) or type(chain[-1]).__name__)
