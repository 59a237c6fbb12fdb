# Every target works on a fresh machine: it makes its own virtual environment and builds what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CARGO_HINT := cargo not found: install Rust 1.88 or newer (Debian: apt-get install rustup && rustup default stable; elsewhere: https://rustup.rs) and run make again

# How long `make soak` goes on.
MINUTES ?= 30

.PHONY: loom tsan miri demo test test-rust test-python lint wheel bench instructions scale soak leaks clean cargo conformance versus ratios

cargo:
	@cargo --version >/dev/null 2>&1 || { echo "$(CARGO_HINT)" >&2; exit 1; }

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

demo: cargo $(BIN)/python  ## build, install into .venv and measure a real training run
	$(BIN)/pip install --quiet '.[demo]'
	$(BIN)/eco2ai-fast run -- $(BIN)/python examples/digits.py

test: test-rust test-python  ## everything that can fail, Rust and Python

test-rust: cargo
	cargo test --workspace --quiet
	$(MAKE) loom

test-python: cargo $(BIN)/python
	$(BIN)/pip install --quiet '.[demo,test]'
	$(MAKE) lint
	$(BIN)/python -m pytest

lint: cargo $(BIN)/python
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	$(BIN)/ruff check
	$(BIN)/mypy

wheel: cargo $(BIN)/python  ## dist/*.whl, one for every CPython from 3.10 on
	$(BIN)/pip wheel --no-deps --wheel-dir dist .

loom: cargo  ## every interleaving of ring and published words, up to three preemptions
	RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 CARGO_TARGET_DIR=target/loom \
	cargo test --package eco2ai-fast-core --test loom --release --quiet

# Both want the nightly toolchain: rustup component add rust-src miri --toolchain nightly. The standard library is built
# with the sanitizer too, else its own locks would be taken for races.
tsan: cargo  ## the threaded parts of the core under ThreadSanitizer
	RUSTFLAGS="-Zsanitizer=thread" CARGO_TARGET_DIR=target/tsan \
	cargo +nightly test -Zbuild-std --package eco2ai-fast-core --lib --target x86_64-unknown-linux-gnu -- \
	snapshot ring panel sampler keepalive meter span

miri: cargo  ## ring, published words and arithmetic under Miri, which looks for undefined behaviour
	CARGO_TARGET_DIR=target/miri MIRIFLAGS=-Zmiri-disable-isolation PROPTEST_CASES=8 \
	cargo +nightly miri test --package eco2ai-fast-core --lib -- ring:: snapshot:: step:: counter::tests::a

bench: cargo $(BIN)/python  ## what the hot paths cost beside bare equivalents, each ratio in one run
	$(BIN)/pip install --quiet '.[bench]'
	cargo bench --package eco2ai-fast-core --bench floors
	cargo bench --package eco2ai-fast-core --bench read
	cargo bench --package eco2ai-fast-core --bench sampler
	$(BIN)/python benches/bench_surface.py --keep benches/results/surface.json
	$(BIN)/python benches/bench_span.py

instructions: cargo  ## instructions of the hot paths against the committed figures; needs valgrind and a compiler that has figures
	$(PYTHON) benches/instructions.py

scale: cargo $(BIN)/python  ## slopes: a tick by domains, spans by their number, a row by the length of its file
	$(BIN)/pip install --quiet .
	$(BIN)/python benches/bench_scale.py $(SCALE)

soak: cargo $(BIN)/python  ## a random user for MINUTES: nothing may grow, fail or be torn
	$(BIN)/pip install --quiet .
	PYTHONPATH=tests $(BIN)/python -m soak --minutes $(MINUTES) $(SOAK)

leaks: cargo $(BIN)/python  ## start and stop, a hundred thousand times each
	$(BIN)/pip install --quiet .
	PYTHONPATH=tests $(BIN)/python -m soak.leaks $(LEAKS)

versus: cargo $(BIN)/python  ## us and every rival on the same work; QUICK=1 for a quarter of an hour (root, /dev/fuse)
	$(BIN)/pip install --quiet '.[test]'
	PYTHONPATH=benches $(BIN)/python -m versus $(if $(QUICK),--quick)
	PYTHONPATH=benches $(BIN)/python -m versus.table

ratios: cargo $(BIN)/python  ## every figure that was ever stated, printed again in one run (root, /dev/fuse)
	$(BIN)/pip install --quiet '.[demo,test]'
	PYTHONPATH=benches $(BIN)/python -m versus.ratios

RIVALS := eco2ai_fast codecarbon pyjoules zeus carbontracker eco2ai perun
conformance: cargo $(BIN)/python  ## every tool in every scenario of known power, as root; PLAY=--quick for a quarter of them
	PYTHONPATH=benches $(BIN)/python -m versus.environments $(RIVALS)
	PYTHONPATH=conformance $(BIN)/python -m eco2ai_fast_conformance $(PLAY) \
	--output benches/results/conformance.json --markdown conformance/SCOREBOARD.md

clean:
	rm -rf $(VENV) target dist
