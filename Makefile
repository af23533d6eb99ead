# Everything here needs Python 3.11 or 3.12 and make, nothing else. The first call makes .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
RUN ?= outputs/nano
GRIDS ?= $(CURDIR)/outputs
grid = mkdir -p $(GRIDS)/$(2) && cd nbs/3_reasoner && $(CURDIR)/$(BIN)/papermill $(1).ipynb $(GRIDS)/$(2)/$(1).ipynb -k python3 --no-progress-bar --log-output -p out $(GRIDS)/$(2)
export TOKENIZERS_PARALLELISM = false
export TRANSFORMERS_VERBOSITY = error
# What glibc hands out stays and lies in large pages: a step of training asks for the same few hundred megabytes again and again, and each time thousands of small pages would be cleared for it
export GLIBC_TUNABLES = glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296

.PHONY: run paper table3 table4 table5 grids shift parts test nano nano-minutes fixtures lab hooks clean

run: .venv/base  ## from the sample world to a dataset, a trained reasoner and its answers
	$(BIN)/espresso run

paper: .venv/base  ## every table and figure of the paper, and the run's page, from the default run; RUN=outputs/nano
	$(BIN)/espresso tables --run $(RUN)
	$(BIN)/espresso figures --run $(RUN)
	$(BIN)/espresso report --run $(RUN)

table3: .venv/base  ## what evidence is worth: Table 3 of the paper on the sample world. ARGS='-p seeds 1'
	$(call grid,35_variants,table3) $(ARGS)

table4 table5: .venv/base  ## what a selector is worth and costs, before the reasoner and before other models; on the clips and trainings of table3
	$(call grid,36_selectors,$@) -p number $(subst table,,$@) -p home $(GRIDS)/table3 $(ARGS)

grids: .venv/base  ## Tables 3, 4 and 5 with three seeds, one after the other; the same command goes on where it was
	$(MAKE) table3
	$(MAKE) table4
	$(MAKE) table5

shift: .venv/base  ## does a trained reasoner hold up on longer, noisy, coarse clips and on families it never learnt from; TRAINING=DIR for an adapter that is there, ARGS='-p clips 36'
	mkdir -p outputs/shift
	cd nbs/5_paper && $(CURDIR)/$(BIN)/papermill 53_shift.ipynb $(CURDIR)/outputs/shift/53_shift.ipynb -k python3 --no-progress-bar --log-output -p out $(CURDIR)/outputs/shift $(if $(TRAINING),-p training $(abspath $(TRAINING))) $(ARGS)

parts: .venv/base  ## what core frames and evidence are worth apart, of the reasoner and on the clips of `make shift`; TRAINING=DIR for another adapter
	test -f outputs/shift/shift.csv || $(MAKE) shift
	mkdir -p outputs/parts
	cd nbs/5_paper && $(CURDIR)/$(BIN)/papermill 53a_parts.ipynb $(CURDIR)/outputs/parts/53a_parts.ipynb -k python3 --no-progress-bar --log-output -p out $(CURDIR)/outputs/parts -p bench $(CURDIR)/outputs/shift/plain -p videos '' -p training $(abspath $(or $(TRAINING),outputs/shift/training/all)) -p first 0 -p limit 160 -p draws 2000 $(ARGS)

test: export OMP_NUM_THREADS = 1
test: .venv/dev  ## every notebook and every test, two at a time on one thread each
	$(BIN)/python tests/notebooks_in_step.py
	$(BIN)/nbdev-test --n-workers 2
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder tests

fixtures: .venv/base  ## make the small rows that notebooks run on by default
	$(BIN)/python tests/make_fixtures.py

nano: .venv/base  ## raise the nano models again, from nothing, into outputs/nano-models; `local:outputs/nano-models/base` names one
	$(BIN)/papermill nbs/3_nano/32e_nano.ipynb outputs/nano-models.ipynb -p out '$(CURDIR)/outputs/nano-models' -p share 1.0

nano-minutes: .venv/base  ## how long `make nano` would take on this machine, told in two minutes
	$(BIN)/python benchmarks/nano.py

lab: .venv/lab  ## open the notebooks
	$(BIN)/jupyter lab nbs/index.ipynb

hooks: .venv/dev  ## clean notebooks on save, merge and diff them cell by cell
	$(BIN)/nbdev-install-hooks

clean:  ## forget the environment and all runs
	rm -rf .venv outputs/* build *.egg-info

.venv/torch: constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) install torch==2.13.0
	touch $@

.venv/base: .venv/torch pyproject.toml
	$(PIP) install -c constraints.txt -e .
	touch $@

.venv/dev: .venv/base
	$(PIP) install -c constraints.txt -e '.[dev,train]'
	touch $@

.venv/lab: .venv/base
	$(PIP) install -c constraints.txt -e '.[lab,dev]'
	touch $@
