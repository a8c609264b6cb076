# The words of this project. "make" alone lists them.
PYTHON := .venv/bin/python
.DEFAULT_GOAL := words
.PHONY: words install run check format lint types imports migrations texts deploy-check unit test bench clean

words: ## list these words
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

install: .venv/installed ## make the virtual environment, with the tools for development
.venv/installed: requirements.txt requirements-dev.txt
	python3 -m venv .venv
	.venv/bin/pip install -r requirements-dev.txt
	touch $@

run: install ## start everything here: PostgreSQL, the web, a node
	$(PYTHON) manage.py quickstart

check: format lint types imports migrations deploy-check unit ## what to run before a commit

format: install ## format the code
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

lint: install ## look for mistakes without changing anything
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	find templates openlearn scheduler -name '*.html' -exec .venv/bin/djade --check {} +

types: install ## check the types
	.venv/bin/mypy

imports: install ## check that imports point down
	.venv/bin/lint-imports

migrations: install ## check that no migration is missing
	$(PYTHON) manage.py makemigrations --check --dry-run

texts: install ## collect the texts to translate, and compile the translations (needs gettext)
	$(PYTHON) manage.py makemessages --locale es --no-obsolete --add-location file --ignore 'tests/*'
	$(PYTHON) manage.py compilemessages --locale es --ignore .venv

deploy-check: install ## check the settings as in production
	DATABASE_URL=postgresql://db.invalid/openlearn SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))') \
		HTTPS=1 ALLOWED_HOSTS=openlearn.example $(PYTHON) manage.py check --deploy --fail-level WARNING

unit: install ## the tests that need no database
	$(PYTHON) -m pytest tests/unit

test: install ## all tests
	$(PYTHON) -m pytest

bench: install ## measure, and print figures with the commands that produced them
	@for script in tests/benchmarks/[!_]*.py; do echo "== $$script"; $(PYTHON) $$script || exit 1; done

clean: ## delete what can be made again; jobs and documents under .data stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache staticfiles
	find . -name __pycache__ -prune -exec rm -rf {} +
