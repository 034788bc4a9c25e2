# Thin names for commands that anybody can read.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/.runs
STAMP := $(VENV)/.installed
BROWSER := $(VENV)/.browser
NATIVE := $(VENV)/.native
INCIDENT ?= fixtures/incidents/default-deny-egress

.PHONY: demo test native lint types imports wheel bench fixtures clean

demo: $(RUNS) $(NATIVE)
	$(BIN)/flowdiag analyze $(INCIDENT)

test: $(STAMP) $(NATIVE) $(BROWSER)
	$(BIN)/python -m pytest -q -n auto -rs

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

# The wheel's top level is exactly flowdiag, flowdiag_parsers and the dist-info, and it works by itself.
wheel: $(STAMP)
	$(BIN)/python tests/wheel_check.py

bench: $(STAMP) $(NATIVE)
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/report.py

fixtures: $(STAMP)
	$(BIN)/python fixtures/incidents.py

clean:
	rm -rf $(VENV) build dist out *.egg-info

# What flowdiag itself needs, and what builds parsers/native; the constraints hold the exact versions that the tests ran with.
# An editable installation makes setuptools warn of the working directory, at length and of nothing that is so here.
$(RUNS): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt setuptools --editable ".[fast]"
	touch $(RUNS)

# What its checks need; pip learnt dependency groups in 25.1.
$(STAMP): $(RUNS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group dev
	touch $(STAMP)

native: $(NATIVE)

# Hubble exports are read in about half the time with it.  Without a C compiler or Python's headers all works, slower;
# it is tried again the next time, and an older one does not stay.
$(NATIVE): $(RUNS) $(wildcard parsers/native/*.[ch]) parsers/native/setup.py parsers/native/pyproject.toml
	@rm -rf parsers/native/build
	@if $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps ./parsers/native \
		>$(VENV)/native.log 2>&1; then touch $(NATIVE); else \
		$(BIN)/python -m pip uninstall --quiet --yes flowdiag-native >>$(VENV)/native.log 2>&1; \
		echo "parsers/native was not compiled (see $(VENV)/native.log): flowdiag does without it"; fi

# What only tests need and is large.  The tests of HTML reports drive a Chromium that the machine has; without
# one they say that they were skipped.
$(BROWSER): $(STAMP) tests/scale/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group browser --group parquet
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement tests/scale/requirements.txt
	touch $(BROWSER)
