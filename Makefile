# The commands of this project. "make" alone lists them.
PYTHON := .venv/bin/python
.DEFAULT_GOAL := words
.PHONY: words install run check format lint types imports migrations texts openapi pictures tables deploy-check unit test campaigns thorough matrix package ci bench clean

words: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

install: .venv/installed ## create the virtual environment with the development tools
.venv/installed: requirements.txt requirements-dev.txt
	python3 -m venv .venv
	.venv/bin/pip install -r requirements-dev.txt
	touch $@

run: install ## start PostgreSQL, the web server and a node on this machine
	$(PYTHON) manage.py quickstart

check: format lint types imports migrations deploy-check unit ## run before each commit

format: install ## format the code
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

lint: install ## check the format, the code and the templates
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	find templates openlearn scheduler -name '*.html' -exec .venv/bin/djade --check {} +

types: install ## check the types
	.venv/bin/mypy

imports: install ## check that imports point down
	.venv/bin/lint-imports

migrations: install ## check that models and migrations agree
	$(PYTHON) manage.py makemigrations --check --dry-run

texts: install ## collect the texts to translate and compile the translations (needs gettext)
	$(PYTHON) manage.py makemessages --locale es --no-obsolete --add-location file --ignore 'tests/*'
	$(PYTHON) manage.py compilemessages --locale es --ignore .venv

openapi: install ## write docs/openapi.json from the code
	UPDATE_OPENAPI=1 $(PYTHON) -m pytest -q -n 0 tests/contract/test_openapi.py -k fresh

pictures: install ## take the pictures in README.md and docs/ anew (needs Chromium)
	PICTURES=1 $(PYTHON) -m pytest -q -n 0 tests/browser/test_pictures.py tests/browser/test_timetables.py

tables: install ## write the tables in docs/ that come from the code
	DJANGO_SETTINGS_MODULE=tests.settings $(PYTHON) -m tests.docs_tables

deploy-check: install ## check the settings as in production
	DATABASE_URL=postgresql://db.invalid/openlearn SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))') \
		HTTPS=1 ALLOWED_HOSTS=openlearn.example $(PYTHON) manage.py check --deploy --fail-level WARNING

unit: install ## run the tests that need no database
	$(PYTHON) -m pytest tests/unit

test: install ## run all tests but the campaigns
	$(PYTHON) -m pytest

campaigns: install ## run a piece of each campaign, in which processes are killed, and the quick benchmarks
	$(PYTHON) -m pytest -m campaign tests/scenarios

thorough: install ## run the generated tests with many more examples, which takes long
	OPENAPI_EXAMPLES=50 DECLARED_SEQUENCES=500 EVERY_LOOK=1 ODD_ROWS=1 ZONES=all $(PYTHON) -m pytest \
		tests/browser/test_every_page.py tests/contract/test_openapi.py \
		tests/integration/services/test_declarations_never_lose_an_edit.py tests/integration/test_odd_rows.py \
		tests/unit/triggers/test_all_zones.py

matrix: install ## run the tests and bare projects on each Python and Django that this machine has
	.venv/bin/nox

package: install ## build the distributions into dist and check them
	.venv/bin/nox --session package

ci: ## everything that a change must pass, in a clean environment, as the CI server runs it
	.ci/run

bench: install ## run the benchmarks and print figures with their commands
	@for script in tests/benchmarks/[!_]*.py; do echo "== $$script"; $(PYTHON) $$script || exit 1; done

clean: ## delete generated files; the data under .data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .nox dist staticfiles
	find . -name __pycache__ -prune -exec rm -rf {} +
