# make reproduce   from nothing to the table and the report, stages side by side; CLUSTER=slurm on a cluster,
#                  CLUSTER=none one after another
# make lessons     only the lessons: the theory and the 2016 slides as experiments, each criterion with its verdict
# make samples     a picture of samples from a trained generator that is in git, at once; FROM=file of other weights
#                  CLASS=7 of one class, by conditional nets
# make complete    an image completed by a trained generator: make complete IMAGE=half.png GIVEN=left
# make plan        say what this machine can do, and keep it as the plan; runs nothing
# make table       the table again
# make settings    what holds for an experiment, and where each value comes from: make settings EXPERIMENT=mnist
#
# make sweep       an experiment with every combination of some settings: make sweep GRID=rates.yaml
# make search      settings that a paper leaves open, scored on validation: make search EXPERIMENT=mnist_stacked_cae
# make collapse    watch a start that collapses, and try what brings it back: make collapse EXPERIMENT=mnist SEED=3 AT="5 9"
# make cancel      end the jobs of a cluster run that was stopped
# make scaling     how long ten experiments with a hundred seeds take on 1, 8, 64 workers, from measured stage times
# make bare-run    on a machine with a GPU and no package index: make bare-run MINUTES=9 WHEELS=wheels
#
# make compare     a page with two revisions side by side: make compare A=HEAD~1 B=workspace
# make experiments DVC's experiments and their results, with the parameters in which they differ
# make assess-folder  the measures of samples of your own: make assess-folder FROM=samples.npz DATASET=mnist
# make record      keep an experiment's finished results in git: make record EXPERIMENT=mnist; FROM=folder of a bare run;
#                  WEIGHTS=1 for its generator too
# make crate       the results for an archive, as a Workflow Run RO-Crate, crate.zip; MODELS=1 with the weights
# make pdf         the page as PDF, beside it; needs Chromium
# make ui          the MLflow UI on this checkout's runs
# make mlflow-gc   what in MLflow's store nothing needs any more; YES=1 removes it for good
# make report      the page again
# make who         which run works in this checkout, on which stage and since when
# make verify      the graph again in two places, every digest compared: is this machine's result the same each time?
# make faults      kill a training at 20 random moments, and other commands at some, and compare what they end with
#
# make test        every test, lint and types
# make bench       the step and the estimate beside their matrix products and beside other ways of doing them; QUICK=1 for a rough one
#                  AGAINST=1dbe131 beside another commit's, and nothing else
# make lint        ruff, and which room imports which
# make types       mypy
# make test-postgresql  the tests of MLflow's server on a PostgreSQL of its own
# make test-slurm  the tests on a Slurm of two nodes made here
# make setup       the environment, .venv, from requirements.lock; every other target does this first
# make lock        pin every package with its hashes, for all platforms and Python versions that pyproject.toml admits
# make help        this
#
# Settings, all optional: PROFILE=paper|cpu|smoke  EXPERIMENTS="mnist mnist_kmeans"  LESSONS="figure_1 convergence"|all|none
# GAN_DATA=/folders:of/your/own  GAN_DEVICE=cpu|cuda|cuda:1  MLFLOW_TRACKING_URI=http://…  PYTHON=python3.12
# COUNT=100 (of samples)  OUT=file (of samples, complete, crate, pdf)
# PORT=5000 (of the UI)  CLUSTER=slurm|local|none  OPTIONS="--partition gpu --gpus 1" (python -m pipeline reproduce --help)
# A and B: git commits, branches or tags, DVC experiments, or workspace. One that is misspelt is refused.

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
MINUTES ?= 9
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export GAN_PROFILE := $(or $(PROFILE),$(GAN_PROFILE))
export GAN_EXPERIMENTS := $(or $(EXPERIMENTS),$(GAN_EXPERIMENTS))
export GAN_LESSONS := $(or $(LESSONS),$(GAN_LESSONS))
export PIP_DISABLE_PIP_VERSION_CHECK := 1

TARGETS := help setup plan reproduce sweep cancel scaling lessons table settings report record assess-folder compare experiments \
  search collapse ui mlflow-gc who verify faults test bench test-postgresql test-slurm lint types lock bare-run samples complete \
  crate pdf
.PHONY: $(TARGETS) typed

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

# What was typed, before anything is made of it: a misspelt PROFLE=smoke would begin a whole run.
TYPED := $(foreach name,$(.VARIABLES),$(if $(findstring command line,$(origin $(name))),$(name)))
typed:
	@$(PYTHON) -m pipeline.commands.typed $(MAKECMDGOALS) -- $(TYPED)

.DEFAULT:
	@$(PYTHON) -m pipeline.commands.typed target '$@' $(TARGETS)

# Made anew when the lock's digest is another than the one that it was made from (pipeline/commands/setup.py).
setup: typed
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another one: make PYTHON=python3.12 …")'
	@$(PYTHON) -m pipeline.commands.setup '$(VENV)'

plan reproduce lessons table settings report sweep search collapse cancel scaling compare experiments record assess-folder ui mlflow-gc who verify: setup
	@python -m pipeline $@ $(WORDS_$@)

samples complete crate pdf: setup
	@python -m pipeline $@ $(WORDS_$@)

WORDS_reproduce = $(if $(CLUSTER),--cluster $(CLUSTER)) $(OPTIONS)
WORDS_lessons = $(WORDS_reproduce)
WORDS_sweep = '$(GRID)' $(WORDS_reproduce)
WORDS_settings = $(EXPERIMENT)
WORDS_search = $(EXPERIMENT)
WORDS_collapse = $(EXPERIMENT) $(call option,--seed,SEED) $(foreach epoch,$(call given,AT),--at $(epoch))
WORDS_record = $(if $(FROM),--from '$(FROM)',$(EXPERIMENT)) $(if $(call given,WEIGHTS),--weights)
WORDS_samples = $(call option,--from,FROM) $(call option,--class,CLASS) $(call option,--count,COUNT) $(call option,--out,OUT)
WORDS_complete = '$(call given,IMAGE)' $(call option,--given,GIVEN) $(call option,--from,FROM) $(call option,--count,COUNT) \
  $(call option,--out,OUT)
WORDS_crate = $(if $(call given,MODELS),--models) $(call option,--out,OUT)
WORDS_pdf = $(call option,--out,OUT)
# Of make's command line alone: these are names that other programs' environments have, too.
given = $(if $(findstring command line,$(origin $1)),$($1))
option = $(if $(call given,$2),$1 '$(call given,$2)')
WORDS_assess-folder = '$(FROM)' '$(DATASET)'
WORDS_compare = '$(A)' '$(B)'
WORDS_ui = $(PORT)
WORDS_mlflow-gc = $(if $(YES),--yes)

# Without `setup`: where there is no package index, no environment can be made. WHEELS is a folder of what is missing there.
bare-run: typed
	@$(PYTHON) -m pipeline.commands.bare_run --minutes '$(or $(MINUTES),9)' --data '$(or $(DATA),data/prepared)' \
	  $(if $(WHEELS),--wheels '$(WHEELS)') --out '$(or $(OUT),bare-run)' $(OPTIONS)

faults: setup
	@python tests/faults/faults.py

# Two processes of one thread each: most of the time goes into starting stages, which one core does.
# HYPOTHESIS_PROFILE=thorough looks at more examples, and sets every value of params.yaml where else a sixth has its day.
test: setup lint types
	@OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadgroup

# On a machine with nothing else to do. One section: python -m tests.benchmarks parzen
bench: setup
	@test -e data/prepared/mnist.safetensors || dvc repro prepare@mnist
	@QUICK='$(QUICK)' AGAINST='$(call given,AGAINST)' python -m tests.benchmarks $(if $(call given,AGAINST),against)

# MLflow's server on a PostgreSQL of its own, which `make test` leaves out where there is none.
test-postgresql: setup
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || \
	  { echo "PostgreSQL is not installed; on Debian and Ubuntu: apt install postgresql"; exit 1; }
	@python -m pytest tests/pipeline/tracking/test_tracking_postgresql.py

# A Slurm of two nodes made here, which `make test` leaves out where it is not installed.
test-slurm: setup
	@PATH="$$PATH:/usr/sbin"; command -v slurmctld >/dev/null && command -v munged >/dev/null || \
	  { echo "Slurm is not installed; on Debian and Ubuntu: apt install slurm-wlm munge"; exit 1; }
	@OMP_NUM_THREADS=1 GAN_TEST_SLURM=all python -m pytest tests/end_to_end/test_slurm.py

lint: setup
	@ruff check .
	@lint-imports --no-logo

types: setup
	@mypy

# Pin every package with its hashes, for all platforms and Python versions that pyproject.toml admits.
lock: setup
	@python -m pip install --quiet uv
	@uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --group dev --python-version 3.11 pyproject.toml -o requirements.lock
