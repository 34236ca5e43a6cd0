"""Built-in data sets as they were made before, in the user's cache: scikit-learn, which makes and splits them, takes a second to import."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from koubai.data.files import write_whole
from koubai.spec import Data

Arrays = dict[str, np.ndarray]

OLD = 30 * 86400  # seconds


def kept(spec: Data) -> Arrays | None:
    """The arrays that were kept of a data set; ``None`` where there are none that can be read."""
    try:
        return {name: array.copy() for name, array in load(_file(spec).read_bytes()).items()}  # they were read-only
    except (OSError, RuntimeError, SafetensorError):
        return None


def keep(spec: Data, arrays: Arrays) -> None:
    """Keep the arrays of a data set for other processes, where the system lets us. What is old goes: it may be of a version gone."""
    with suppress(OSError, RuntimeError):
        file = _file(spec)
        file.parent.mkdir(parents=True, exist_ok=True)
        for old in file.parent.glob("*.safetensors"):
            if time.time() - old.stat().st_mtime > OLD:
                old.unlink(missing_ok=True)
        write_whole(file, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def _file(spec: Data) -> Path:
    """Where a data set is kept: under the name of all that it is made by. Raises ``RuntimeError`` for a user without a home."""
    cached = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    made_by = f"{_source()} {spec.model_dump_json()}"
    return Path(cached) / "koubai" / f"{spec.name}-{hashlib.sha256(made_by.encode()).hexdigest()[:20]}.safetensors"


@cache
def _source() -> str:
    """What makes data sets, as it is today."""
    source = b"".join(file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py")))
    return f"{version('scikit-learn')} {version('numpy')} {hashlib.sha256(source).hexdigest()}"
