# Everything a person types. `make demo` and `make test` set up what they need by themselves.

PYTHON ?= python3
BOARD ?= MOTIONLET_PICO
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# A file's tests stay together, since they share what took long to make.
PYTEST_JOBS ?= -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: help demo test lint firmware bench figures dist clean setup

help:
	@echo "make demo                   train, deploy and verify on the virtual Pico"
	@echo "make test                   run every test"
	@echo "make firmware BOARD=NAME    build MicroPython with Motionlet (default $(BOARD))"
	@echo "make bench                  measure cycles and sizes; rewrites BENCHMARKS.md"
	@echo "make figures NAME=name      write figures/name.json anew (tools/figures/)"
	@echo "make dist                   wheel, firmware, native modules and checksums into dist/"
	@echo "make clean                  delete what was built, but not $(VENV)"

setup: $(READY)

$(READY): pyproject.toml tools/install_packages.sh
	@PYTHON=$(PYTHON) tools/install_packages.sh
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Python packages into $(VENV) (TensorFlow is large)"
	@$(BIN)/python -m pip install --disable-pip-version-check -e '.[test]'
	@touch $@

demo: $(READY)
	@$(BIN)/host_sdk demo

test: $(READY) lint
	@tools/install_packages.sh for-tests
	@$(BIN)/python -m pytest $(PYTEST_JOBS)
	@$(BIN)/python tools/support_table.py --check || true  # a machine may lack an emulator

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python tools/generate_format.py --check

firmware: $(READY)
	@$(BIN)/python tools/build_firmware.py $(BOARD)

bench: $(READY)
	@$(BIN)/host_sdk bench

figures: $(READY)
	@$(BIN)/python tools/figures/$(or $(NAME),$(error want NAME=, one of: \
		$(basename $(notdir $(wildcard tools/figures/*.py))))).py

dist: $(READY)
	@tools/install_packages.sh for-tests
	@$(BIN)/python tools/make_dist.py

clean:
	rm -rf build dist
