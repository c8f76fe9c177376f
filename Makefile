# The same commands for a newcomer, for CI and for the README. `make demo` and `make test` do all the set-up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Not compiled: of torch's and transformers' thousands of files few are ever imported. Those that are, once and for all:
# where the environment forbids Python to keep them, each of Ray's many processes would compile them again.
QUICK := --quiet --disable-pip-version-check --no-compile
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo study study-check pictures quick types logic logic-of-models test check lint docs notebook bench chaos gpu fuzz clean help

help:
	@echo "make demo    set up, sweep the built-in models through Ray, write runs/quickstart/report/index.html"
	@echo "make study   rehearse the published study on the built-in models, write runs/study-rehearsal/report/index.html"
	@echo "make study-check   the same, and read its page: every section holds data, or is named with the sweep that gives it"
	@echo "make quick   mypy beside the tests that need no Ray and no second each: under a minute"
	@echo "make test    set up, pass the tests"
	@echo "make check   ruff, format, mypy strict, import contracts, and the tests"
	@echo "make pictures   take the pictures of a report in docs/, of the page of make study; needs Chromium"
	@echo "make docs    rewrite the tables of docs/specs.md from the models that check a spec"
	@echo "make notebook  run docs/example.ipynb and store its outputs"
	@echo "make bench   speed against the references, as ratios"
	@echo "make fuzz    odd specs, corpora, names and run directories, 1,000 of each"
	@echo "make gpu     values, memory and statuses on this machine's first GPU; skipped where there is none"
	@echo "make chaos   ten minutes of random kills of workers, nodes, coordinator and driver; no row may change"

# Continued where it was stopped; two minutes on two cores.
REHEARSED := runs/study-rehearsal

study: $(READY)
	$(BIN)/python -m sweeps.run study --rehearse
	$(BIN)/python -m analysis.thresholds $(REHEARSED) --sweep binoculars_fragments --fpr 0.05 --out $(REHEARSED)/calibration.json
	$(BIN)/python -m analysis.report $(REHEARSED)
	@echo "open $(REHEARSED)/report/index.html in a browser"

study-check: study
	$(BIN)/python -m pytest tests/analysis/study_check.py

pictures: study
	$(BIN)/python -m docs.pictures $(REHEARSED)/report/index.html

demo: $(READY)
	$(BIN)/python -m sweeps.run quickstart
	$(BIN)/python -m analysis.report runs/quickstart
	@echo "open runs/quickstart/report/index.html in a browser"

# Side by side, each shown when it ends. Types need some seconds the first time, and next to nothing as long as
# .mypy_cache is there; the folders whose tests compute with models take as long as all others together.
LOGIC := $(BIN)/python -m pytest --quiet -m "not ray and not slow and not real_model"
MODELS := tests/actors tests/models tests/scoring

quick: $(READY)
	@$(MAKE) --no-print-directory --jobs=3 --output-sync types logic logic-of-models

types: $(READY)
	$(BIN)/mypy

logic: $(READY)
	$(LOGIC) tests $(MODELS:%=--ignore=%)

logic-of-models: $(READY)
	$(LOGIC) $(MODELS)

test: $(READY)
	$(BIN)/python -m tests.in_two_processes

check: lint test

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY)
	$(BIN)/python -m docs.tables

notebook: $(READY)
	$(BIN)/python -m docs.notebook

bench: $(READY)
	$(BIN)/python -m bench.dispatch
	$(BIN)/python -m bench.harness
	$(BIN)/python -m bench.scale

chaos: $(READY)
	$(BIN)/python -m bench.chaos

gpu: $(READY)
	$(BIN)/python -m pytest -m gpu tests/gpu

fuzz: $(READY)
	HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -m fuzz --timeout=7200

clean:
	rm -rf $(VENV) build *.egg-info

# Torch first, so that a CPU build on disk is taken before anything else asks for torch by range.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is `$(PYTHON) --version`. Try: make PYTHON=python3.11 ..."; exit 2; }
	@echo "setting up $(VENV) (some minutes with an empty package cache)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(QUICK) -c constraints.txt torch
	$(BIN)/python -m pip install $(QUICK) -c constraints.txt -e '.[dev]'
	@touch $@
