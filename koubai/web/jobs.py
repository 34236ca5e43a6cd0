"""Studies that train while nobody need look: one after another, in a thread of their own."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from threading import Event

from koubai.laboratory import run, to_train, usual_threads
from koubai.language import UserError, Words
from koubai.spec import Trial
from koubai.store import Store
from koubai.study import Study
from koubai.web import uploads

TRAINING = ThreadPoolExecutor(1, "training")
THREADS = usual_threads()  # as they are now: the trainings of pages set fewer, and threads that begin later inherit that


@dataclass
class Job:
    """A study that trains or waits for it: network-steps ``done`` of ``total``. ``problem`` says what it could not do."""

    total: int
    done: int = 0
    finished: bool = False
    problem: Words | None = None
    stop: Event = field(default_factory=Event)


_jobs: dict[str, Job] = {}  # by a study's id; a finished one stays until its page was told, or the study is asked for again


def job(id: str) -> Job | None:
    """The job of a study, if there is one."""
    return _jobs.get(id)


def forget(id: str) -> None:
    """Forget how a study's job ended: a page has shown it."""
    if id in _jobs and _jobs[id].finished:
        del _jobs[id]


def start(study: Study, store: Store) -> Job:
    """Train what is missing of a study, or give the job that already does. Raises ``UserError`` for what cannot be trained."""
    known = _jobs.get(study.id)
    if known and not known.finished:
        return known
    made = Job(sum(trial.steps for trial in to_train(study.trials, store, fresh=False)))
    _jobs[study.id] = made
    TRAINING.submit(copy_context().run, _work, made, study, store)
    return made


def stop_all() -> None:
    """Stop every training at its next step, for the server to end."""
    for one in _jobs.values():
        one.stop.set()


def _work(job: Job, study: Study, store: Store) -> None:
    def report(what: str, trial: Trial, steps: int, spared: int) -> None:
        if job.stop.is_set():
            raise KeyboardInterrupt  # what a training heeds, and keeps itself for
        job.done += steps + spared

    try:
        if not job.stop.is_set():
            run(study, store=store, threads=THREADS, progress=report)
    except UserError as error:
        job.problem = uploads.told(store, error).words
    except KeyboardInterrupt:
        pass
    except Exception as error:  # a bug of ours: in the log with its traceback, and on the page
        logging.getLogger(__name__).exception("training %s", study.name)
        job.problem = Words(f"A bug in Koubai: {error!r}.", f"Koubaiの不具合です: {error!r}")
    finally:
        job.finished = True
