# What a user and a developer type. `make` alone lists it.

PYTHON ?= python3
BIN := .venv/bin
export PYTHON
export DURATION KEEP UPGRADE
# Python keeps what it has compiled, whatever the environment says: tests start `soak` hundreds of times.
export PYTHONDONTWRITEBYTECODE :=
# Three files of tests a CPU, four at least: half of the time they wait for a run.
WORKERS := $(shell cpus=$$(nproc 2>/dev/null || echo 2); echo $$((cpus * 3 < 4 ? 4 : cpus * 3 > 12 ? 12 : cpus * 3)))

.PHONY: help demo test fuzz lint format check-python bench peers driftbench leakbench judgebench stallbench faults lock clean

help:
	@echo "make demo    set everything up and soak the simulated router (DURATION=120s, KEEP=1 leaves it up)"
	@echo "make test    set everything up, check the code and run every test that this machine can run"
	@echo "make fuzz    hostile datagrams, files, texts and names, other ones at every run (MINUTES=10)"
	@echo "make bench   what watching costs: ratios, side by side in one run (MINUTES=10 adds a memory run)"
	@echo "make peers   soak watch around aiperf, guidellm and Locust, on a router that is well and one that fails (PEERS=locust)"
	@echo "make stallbench  the check of stalls on simulated loads: clean ones of many kinds, and those that stand still"
	@echo "make driftbench  false alarms and recall of latency and throughput on labelled hours"
	@echo "make leakbench   false alarms and recall of the leak rules on labelled hours (SEEDS=30000:30500)"
	@echo "make judgebench  labelled runs, simulated and real, and what the verdict says of each (RUNS=leak-*,clean-60s)"
	@echo "make faults  break a simulated router in every way and see which alerts reach a webhook (SCENE=hang)"
	@echo "make lint    the checks alone     make format   rewrite to the project's format"
	@echo "make lock    pin what the image installs anew, by hash (UPGRADE=1 takes newer versions)"
	@echo "make clean   remove .venv and what tools leave"

demo: check-python
	@scripts/install_packages.sh --try demo
	@$(MAKE) --silent .venv/installed
	@$(BIN)/soak demo

test: check-python
	@scripts/install_packages.sh --try demo test
	@$(MAKE) --silent lint
	@scripts/fetch_compose.sh
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

fuzz: check-python
	@scripts/install_packages.sh --try demo
	@$(MAKE) --silent .venv/installed-dev
	$(BIN)/pytest tests/fuzz -v --timeout 0 --fuzz-minutes $(or $(MINUTES),10)

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/soak dashboards check
	$(BIN)/soak rules check
	$(BIN)/python scripts/render_docs.py check
	$(BIN)/python scripts/render_kubernetes.py check

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: check-python
	@scripts/install_packages.sh demo bench
	@$(MAKE) --silent .venv/installed-dev
	@$(BIN)/python scripts/bench/bench.py $(if $(MINUTES),--minutes $(MINUTES))

peers: check-python
	@$(MAKE) --silent .venv/installed-dev
	@$(BIN)/python scripts/bench/watch_peers.py $(if $(PEERS),--peers $(PEERS))

stallbench: check-python
	@$(MAKE) --silent .venv/installed-dev
	@$(BIN)/python -m tests.stallbench

driftbench: check-python
	@$(MAKE) --silent .venv/installed-dev
	@$(BIN)/python -m tests.rules.driftbench

leakbench: check-python
	@scripts/install_packages.sh demo
	@$(MAKE) --silent .venv/installed-dev
	@$(BIN)/python -m tests.rules.leakbench $(if $(SEEDS),--seeds $(SEEDS))

judgebench: check-python
	@scripts/install_packages.sh demo
	@$(MAKE) --silent .venv/installed-dev
	@$(BIN)/python -m tests.judgebench $(if $(RUNS),--runs '$(RUNS)')

faults: check-python
	@scripts/install_packages.sh demo test
	@$(MAKE) --silent .venv/installed-dev
	@$(BIN)/python -m tests.stack.fault_proof $(if $(SCENE),--scene $(SCENE))

lock: check-python
	@$(MAKE) --silent .venv/installed
	@$(BIN)/pip install --quiet --disable-pip-version-check -e ".[lock]"
	@scripts/lock_image.sh $(BIN)

check-python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON): Python 3.11 or newer is needed; name one by: make PYTHON=/path/to/python3.11" >&2; exit 2; }

.venv/pip:
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/installed: .venv/pip pyproject.toml
	@echo "installing the package into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[report]'
	@touch $@

.venv/installed-dev: .venv/installed
	@echo "installing the development tools into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
