from tests.workers.pretended import eager, processes  # noqa: F401
