# make reproduce   from nothing to the table and the report; CLUSTER=slurm or CLUSTER=local runs stages side by side
# make sweep       an experiment with every combination of some settings: make sweep GRID=rates.yaml
# make cancel      end the jobs of a cluster run that was stopped
# make scaling     how long ten experiments with a hundred seeds take on 1, 8, 64 workers, from measured stage times
# make test        every test, lint and types
# make ui          the MLflow UI on this checkout's runs
# make lessons     only the lessons: the theory and the 2016 slides as experiments, each criterion with its verdict
# make compare     a page with two revisions side by side: make compare A=HEAD~1 B=workspace
# make search      settings that a paper leaves open, scored on validation: make search EXPERIMENT=mnist_stacked_cae
# make experiments DVC's experiments and their results, with the parameters in which they differ
# make verify      the graph again in two places, every digest compared: is this machine's result the same each time?
# make faults      kill a training at 20 random moments, and compare what it ends with
# make who         which run works in this checkout, on which stage and since when
# make bench       the step and the estimate beside their matrix products and beside other ways of doing them; QUICK=1 for a rough one
# make bare-run    the long run and its checks on a machine with a GPU and no package index: make bare-run MINUTES=9 WHEELS=wheels
# make plan        say what this machine can do, and write it into params.yaml; runs nothing
#
# Settings, all optional: PROFILE=paper|cpu|smoke  EXPERIMENTS="mnist mnist_kmeans"  LESSONS="figure_1 convergence"|all|none
# GAN_DATA=/folders:of/your/own  GAN_DEVICE=cpu|cuda|cuda:1  MLFLOW_TRACKING_URI=http://…  PYTHON=python3.12
# PORT=5000 (of the UI)  CLUSTER=slurm|local  OPTIONS="--partition gpu --gpus 1" (python -m pipeline.cluster --help)
# A and B: git commits, branches or tags, DVC experiments, or workspace

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
PORT ?= 5000
A ?= HEAD
B ?= workspace
CLUSTER ?=
OPTIONS ?=
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export GAN_PROFILE := $(or $(PROFILE),$(GAN_PROFILE))
export GAN_EXPERIMENTS := $(or $(EXPERIMENTS),$(GAN_EXPERIMENTS))
export GAN_LESSONS := $(or $(LESSONS),$(GAN_LESSONS))
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup plan reproduce sweep cancel scaling lessons table report record bare-run compare experiments search ui who verify faults test bench test-postgresql test-slurm lint types lock

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | sed '/^$$/,$$d'

setup: $(VENV)/.complete

# The lock's digest is in the stamp's content, so that a checkout with another lock is set up anew. Bytecode is left to the
# first import: most of what is installed is never imported.
$(VENV)/.complete: requirements.lock
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another one: make PYTHON=python3.12 …")'
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "making the environment in $(VENV), from requirements.lock (about 5 GB with torch's CUDA libraries, some minutes)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --no-compile --require-hashes -r requirements.lock
	@touch $@

# Not while a run goes on here: it would read what this writes. DVC waits at a stage's end for whoever reads the graph.
plan: setup
	@python -m pipeline.lock free
	@python -m pipeline.plan

reproduce: plan
	@$(if $(CLUSTER),python -m pipeline.cluster $(CLUSTER) $(OPTIONS),dvc --wait-for-lock repro --keep-going)
	@python -m pipeline.report table

sweep: setup
	@python -m pipeline.lock free
	@python -m pipeline.cluster.sweep '$(GRID)' $(or $(CLUSTER),local) $(OPTIONS)

cancel: setup
	@python -m pipeline.cluster cancel

scaling: setup
	@python -m pipeline.cluster.scaling

# Experiments stay as they are: the page is written with whatever there is of them.
lessons: export GAN_LESSONS := $(or $(LESSONS),$(GAN_LESSONS),all)
lessons: plan
	@dvc --wait-for-lock repro --keep-going $$(python -m pipeline.lesson stages)
	@dvc --wait-for-lock repro --single-item --force report
	@python -m pipeline.lesson table

# DVC runs no frozen stage, also when asked: the command is run as DVC would, and what it wrote is entered in the lock.
search: export DVC_STAGE := reports/searches/dvc.yaml:search@$(EXPERIMENT)
search: setup
	@python -m pipeline.search $(EXPERIMENT)
	@dvc --wait-for-lock commit --force $(DVC_STAGE)

who: setup
	@python -m pipeline.lock

table: setup
	@python -m pipeline.report table

ui: setup
	@python -m pipeline.tracking_ui $(PORT)

compare: setup
	@python -m pipeline.compare '$(A)' '$(B)'

# Of DVC's columns, which are every parameter and every file that a stage reads: results, profile, and what differs.
experiments: setup
	@dvc exp show --no-pager --only-changed --keep '.*\.(raw|ema)$$|profile$$' --drop '.*/|artifacts$$|run\.' --precision 4

faults: setup
	@python tests/faults/faults.py

verify: setup
	@python -m pipeline.verify

# Two processes of one thread each: most of the time goes into starting stages, which one core does.
test: setup lint types
	@OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadgroup

# Ten minutes on two cores, on a machine with nothing else to do. One section: python -m tests.benchmarks parzen
bench: setup
	@test -e data/prepared/mnist.safetensors || dvc repro prepare@mnist
	@QUICK='$(QUICK)' python -m tests.benchmarks

# MLflow's server on a PostgreSQL of its own, which `make test` leaves out where there is none.
test-postgresql: setup
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || \
	  { echo "PostgreSQL is not installed; on Debian and Ubuntu: apt install postgresql"; exit 1; }
	@python -m pytest tests/pipeline/test_tracking_postgresql.py

# A Slurm of two nodes made here, which `make test` leaves out where it is not installed.
test-slurm: setup
	@PATH="$$PATH:/usr/sbin"; command -v slurmctld >/dev/null && command -v munged >/dev/null || \
	  { echo "Slurm is not installed; on Debian and Ubuntu: apt install slurm-wlm munge"; exit 1; }
	@OMP_NUM_THREADS=1 GAN_TEST_SLURM=all python -m pytest tests/end_to_end/test_slurm.py

lint: setup
	@ruff check .

types: setup
	@mypy

# Keep the finished results of one experiment, with their parameters, commit and hardware: make record EXPERIMENT=mnist
# Or those of a bare run that was made elsewhere: make record FROM=bare-run
record: setup
	@python -m pipeline.commands.record $(if $(FROM),from $(FROM),$(EXPERIMENT))

# Without `setup`: the machine has no package index. WHEELS is a folder of what it lacks (python -m pipeline.commands.bare_run -h).
bare-run:
	@$(PYTHON) -m pipeline.commands.bare_run --minutes $(or $(MINUTES),9) --data $(or $(DATA),data/prepared) \
	  $(if $(WHEELS),--wheels $(WHEELS)) --out $(or $(OUT),bare-run) $(OPTIONS)

# Pin every package with its hashes, for all platforms and Python versions that pyproject.toml admits.
lock: setup
	@python -m pip install --quiet uv
	@uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --group dev --python-version 3.11 pyproject.toml -o requirements.lock
