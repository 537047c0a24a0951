# `make` lists the targets. README.md has the same commands for people without make.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: help book offline pdf test lint outputs data bench serve lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

book: .venv/book ## Build the site into _build/html; a warning is an error
	$(BIN)/jupyter-book build . --all -W -n --keep-going

offline: book ## Pack the site for people without network into _build/nnlab-offline.zip
	$(BIN)/python tests/offline.py

pdf: offline .venv/test ## Print the book into _build/nnlab.pdf (needs Chromium)
	$(BIN)/python tests/pdf.py

test: .venv/test ## Test the engine and every cell of every chapter
	$(BIN)/pytest

lint: .venv/test ## Check style and format, notebooks included
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

outputs: .venv/book ## Re-run every chapter and save its outputs
	$(BIN)/python tests/outputs.py

data: .venv/book ## Download MNIST once
	$(BIN)/python -m nnlab.datasets

bench: .venv/test ## Time the engine
	$(BIN)/python tests/bench.py

serve: book ## Show the site at http://localhost:8000
	$(BIN)/python -m http.server --directory _build/html 8000

# --fork-strategy fewest: one version of each package for every Python from 3.11 on.
PIN := uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--no-annotate --no-header pyproject.toml
NOTE := \# Written by "make lock" from the ranges in pyproject.toml. Install from the top folder.

lock: ## Pin the newest versions that pyproject.toml allows (needs uv)
	$(PIN) --extra book > book.lock
	$(PIN) --extra book --extra test --constraint book.lock > test.lock
	(echo '$(NOTE)'; cat book.lock; echo '-e .') > requirements.txt
	(echo '$(NOTE)'; echo '-r ../requirements.txt'; grep -vxFf book.lock test.lock) \
		> tests/requirements.txt
	rm book.lock test.lock

clean: ## Remove the site, the caches and .venv
	rm -rf _build .venv .pytest_cache .ruff_cache .hypothesis

# Empty files that say when .venv was last brought up to date.
.venv/book: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
		'Python 3.11 or newer is needed. Name one that you have: make PYTHON=python3.12 ...'; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

.venv/test: .venv/book tests/requirements.txt
	$(BIN)/python -m pip install --quiet -r tests/requirements.txt
	@touch $@
