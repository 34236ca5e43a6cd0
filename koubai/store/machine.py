"""What a result may depend on beside its spec."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np


def environment(device: str) -> dict[str, str]:
    """What a result may depend on beside its spec: versions, machine, device, threads, the commit of the source."""
    import torch

    import koubai

    return {
        "koubai": koubai.__version__,
        "commit": _commit(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scikit-learn": version("scikit-learn"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "device": device,
        "threads": str(torch.get_num_threads()),
    }


@cache
def _commit() -> str:
    """The commit of this source; nothing where it was installed without its repository, or where there is no git."""
    source = Path(__file__).parents[2]
    if not (source / ".git").exists():  # an environment may lie in a repository of the user's
        return ""
    try:
        asked = ["git", "-C", str(source), "rev-parse", "HEAD"]
        git = subprocess.run(
            asked, capture_output=True, encoding="utf-8", errors="replace", check=False
        )  # its errors are in any language
    except OSError:
        return ""
    return git.stdout.strip() if git.returncode == 0 else ""
