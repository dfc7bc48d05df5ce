# make demo   the main job before your eyes, against the stand-in for WhatsApp Web (no phone needed)
# make start  the main job on the real WhatsApp Web
# make check  lint and every test without a browser (two minutes)
# make test   every test      make bench  every figure      make chaos  the attacks, 20 minutes (CHAOS=full: all)

.PHONY: set-up demo start check test lint bench chaos clean

set-up:
	@scripts/set-up

demo: set-up
	@.venv/bin/python examples/demo.py

start: set-up
	@.venv/bin/linda start

lint: set-up
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

check: lint
	@.venv/bin/python -m pytest -n 3 --dist worksteal -m "not browser and not slow"

test: export LINDA_TOOLS = 1
test: lint
	@.venv/bin/python -m pytest -n 3 --dist worksteal

bench: export LINDA_TOOLS = 1
bench: set-up
	@.venv/bin/python -m benchmarks

chaos: set-up
	@.venv/bin/python -m chaos

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
