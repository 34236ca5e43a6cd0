# The habits of this house. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/ready ## the whole of the notes: train every exercise, judge every claim, write koubai-out/report.html
	$(BIN)/koubai run

serve: $(VENV)/ready ## the laboratory in a browser, on this machine alone
	$(BIN)/koubai serve

test: lint ## everything: ruff, mypy and all tests
	$(BIN)/python -m pytest -n auto

check: lint ## the quick part: ruff, mypy and the tests that are not slow
	$(BIN)/python -m pytest -n auto -m "not slow"

lint: $(VENV)/ready ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/ready ## let ruff put the code in order
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

faults: $(VENV)/ready ## kill -9 fifty times, full disks, interrupts, vanishing folders: what a study survives (KILLS=50)
	KOUBAI_KILLS=$(or $(KILLS),50) $(BIN)/python -m pytest tests/faults -s

fuzz: $(VENV)/ready ## 10,000 inputs for every reader: studies, data files, stored files (an hour or two)
	TMPDIR=$$(test -d /dev/shm && echo /dev/shm || echo /tmp) $(BIN)/python -m pytest -n auto --hypothesis-profile=fuzz \
		tests/data/test_fuzz.py tests/store/test_store_fuzz.py tests/test_study_files.py

lock: ## write requirements.lock: every version with the hashes of its files (needs uv)
	uv pip compile pyproject.toml --extra dev -c constraints.txt --generate-hashes --universal --python-version 3.11 \
		--no-header -o requirements.lock

audit: ## look for known holes in what requirements.lock names (installs pip-audit into .venv-audit; needs pypi.org)
	@$(PYTHON) -c "from urllib.request import urlopen; urlopen('https://pypi.org/pypi/pip/json', timeout=30)" 2> /dev/null || \
		{ echo "Nothing was audited: pypi.org, which knows the advisories, cannot be reached from here." >&2; exit 1; }
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet pip-audit
	.venv-audit/bin/pip-audit --strict --require-hashes --disable-pip -r requirements.lock

docs: $(VENV)/ready ## write docs/techniques.md and docs/commands.md from the code
	$(BIN)/python -m docs.generate

bench: $(VENV)/ready ## measure against plain PyTorch, NumPy and the machine's peak; QUICK=1 for a first look
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

clean: ## remove the environment and caches; results in koubai-out stay
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment is made anew where what it holds has changed.
$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(None if sys.version_info >= (3, 11) else 'Koubai needs Python 3.11 or newer, not ' + sys.version.split()[0] + '; name one with: make PYTHON=python3.13')"
	@echo "Installing into $(VENV): a minute or two, the first time."
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@touch $@

.PHONY: help run serve test check lint format faults fuzz lock audit docs bench clean
