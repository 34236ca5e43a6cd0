"""Before anything starts: what a study would cost, and whether one network fits into this machine at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from statistics import fmean

from koubai.blueprint import title
from koubai.data import load
from koubai.language import UserError, Words, counted
from koubai.places import places
from koubai.spec import Trial
from koubai.study import Study
from koubai.training.cohort import cost, footprint
from koubai.training.ledger import BINS
from koubai.training.loop import HISTOGRAMS, points

MANY = 20_000  # trials that are trained without asking
LOOKED_AT = 64  # of them, for an estimate
RATE = 1.5e10  # of ``cost`` a second and core, measured on small and on large networks within a factor of two
EACH = 1e-3  # seconds that making, planning and storing a trial takes
SPEC = 6_000  # bytes of a trial in memory, beside its history


def confirm(study: Study, yes: bool) -> None:
    """Raise ``UserError`` with an estimate of time and memory where a study is very large and nobody has said yes.

    A study of a million trials is not even expanded for that.
    """
    if yes or len(study) <= MANY:
        return
    some = study.some(LOOKED_AT)
    count = cores()
    seconds = len(study) * (EACH + fmean(trial.steps * cost(trial, *shape_and_classes(trial)) for trial in some) / RATE / count)
    memory = len(study) * fmean(SPEC + history(trial) for trial in some)
    disk = len(study) * fmean(history(trial) + weights(trial) for trial in some)
    time = lasting(seconds)
    raise UserError(
        f"{study.name} makes {len(study):,} trials: about {time.en} on {counted(count, 'core')}, {size(memory)} of memory and "
        f"{size(disk)} on disk. Add --yes (in Python yes=True) to train them all the same.",
        f"{study.name} は {len(study):,} 試行になります。{count} コアで約 {time.ja}、メモリ約 {size(memory)}、ディスク約 {size(disk)} が"
        "必要です。それでも学習するには --yes(Pythonでは yes=True)を付けてください。",
    )


def fits(trial: Trial) -> None:
    """Raise ``UserError`` for a network that takes more memory than this machine has: better than the system ending the process."""
    needed, there = footprint(trial, *shape_and_classes(trial)), total_memory()
    if there is not None and needed > there:
        raise UserError(
            f"A network of {title(trial.layers)} takes about {size(needed)} of memory, and this machine has {size(there)}; take "
            "narrower layers or a smaller batch_size.",
            f"{title(trial.layers)} のネットワークには約 {size(needed)} のメモリが必要ですが、このマシンには {size(there)} しかありません。"
            "層の幅か batch_size を小さくしてください。",
        )


def shape_and_classes(trial: Trial) -> tuple[tuple[int, ...], int]:
    """The shape of one sample of a trial's data, and how many classes there are."""
    data = load(trial.data)
    return data.shape, data.outputs


def history(trial: Trial) -> float:
    """Bytes of a trial's history, about: numbers of each layer at each point, and histograms."""
    layers = len(places(trial, *shape_and_classes(trial)))
    return 8 * len(points(trial.steps)) * (6 + 7 * layers) + 4 * HISTOGRAMS * BINS * layers


def weights(trial: Trial) -> int:
    """Bytes of a trial's weights."""
    return sum(place.parameters for place in places(trial, *shape_and_classes(trial))) * (8 if trial.dtype == "float64" else 4)


def total_memory() -> int | None:
    """Bytes of memory that this process may take: the machine's, or its container's; ``None`` where nobody says."""
    known = []
    for limit in (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")):
        try:
            known.append(int(limit.read_text("ascii")))
        except (OSError, ValueError):  # not Linux, not in a container, or "max"
            continue
    with suppress(AttributeError, ValueError, OSError):  # Windows
        known.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(known, default=None)


def cores() -> int:
    """Cores that this process may use, in its machine and its container."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # not Linux, not in a container, or "max"
        share, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        count = min(count, max(1, int(share) // int(period)))
    return count


def lasting(seconds: float) -> Words:
    """A time as a person reads it."""
    for unit, en, ja in ((86400, "days", "日"), (3600, "hours", "時間"), (60, "minutes", "分")):
        if seconds >= 2 * unit:
            return Words(f"{seconds / unit:,.0f} {en}", f"{seconds / unit:,.0f} {ja}")
    return Words(counted(round(seconds), "second"), f"{seconds:.0f} 秒")


def size(amount: float) -> str:
    """Bytes as a person reads them."""
    for unit in ("B", "kB", "MB"):
        if amount < 999.5:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} GB" if amount < 999.5 else f"{amount:,.0f} GB"
