"""What is known already: answers by key, each in a file of its own, written whole."""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection
from pathlib import Path

from pydantic import ValidationError

from hamkit.files import cache_root, project_root, sha256_file, sha256_text, sha256_tree, write_whole
from hamkit.matrix.graph import Answer
from hamkit.matrix.record import Cell

LAYOUT = "1"


class AnswerCache:
    """Answers below ``matrix/`` in the user's cache; an unreadable one counts as unknown."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or cache_root() / "matrix" / LAYOUT

    def find(self, key: str) -> Answer | None:
        try:
            data = json.loads(gzip.decompress(self._path(key).read_bytes()))
            cells = tuple(Cell.model_validate(cell) for cell in data.pop("cells"))
            return Answer(cells, **data).keyed(key, cached=True)
        except (OSError, EOFError, ValueError, KeyError, TypeError, ValidationError):
            return None

    def keep(self, key: str, answer: Answer) -> None:
        data = {
            "cells": [cell.model_dump(mode="json") for cell in answer.cells],
            "digest": answer.digest,
            "texts": dict(answer.texts),
            "title": answer.title,
            "origin": answer.origin,
        }
        write_whole(self._path(key), gzip.compress(json.dumps(data).encode(), compresslevel=3, mtime=0))

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json.gz"


def makers_digests(wanted: Collection[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Digests of lists of files and folders of the project, without what Python compiled; each read once."""
    known = {name: _digest(project_root() / name) for name in {name for names in wanted for name in names}}
    return {names: sha256_text(*(f"{name} {known[name]}" for name in names)) for names in wanted}


def _digest(path: Path) -> str:
    return sha256_tree(path, (".pyc",)) if path.is_dir() else sha256_file(path)
