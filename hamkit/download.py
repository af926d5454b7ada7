"""Files from the network: bounded in size and time, whole or not at all."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from hamkit.errors import MissingNeed, UserError
from hamkit.files import write_whole

SCHEMES = ("http", "https")
SILENCE = 30.0  # seconds without a byte
CHUNK = 1 << 16


def download(url: str, target: Path, limit: int, seconds: float = 600.0) -> Path:
    """Fetch ``url`` (http, https) into the file ``target``, at most ``limit`` bytes within ``seconds``.

    Raises UserError when it is not there, larger, or no such URL, MissingNeed when nobody answers.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname or parts.username is not None:
        raise UserError(f"not a URL that can be fetched: {parts.scheme}://{parts.hostname or ''}", _hint())
    deadline = time.monotonic() + seconds
    content = bytearray()
    try:
        with urllib.request.urlopen(url, timeout=SILENCE) as answer:  # noqa: S310 - http(s), held above
            while piece := answer.read(CHUNK):
                content += piece
                if len(content) > limit:
                    raise UserError(
                        f"{url} has more than the {limit} bytes it may have", "name another place"
                    )
                if time.monotonic() > deadline:
                    raise MissingNeed(f"{url} did not come within {seconds:.0f} s", "try again")
            if answer.length:
                raise MissingNeed(f"{url} ended {answer.length} bytes too early", "try again")
    except urllib.error.HTTPError as bad:
        raise UserError(f"{url} cannot be had: HTTP {bad.code} {bad.reason}", _hint()) from bad
    except (OSError, http.client.HTTPException, ValueError) as bad:
        reason = getattr(bad, "reason", bad)
        raise MissingNeed(f"{url} cannot be reached: {reason}", "look at the network and the name") from bad
    return write_whole(target, bytes(content))


def _hint() -> str:
    return "give a URL: http or https, without a password in it"
