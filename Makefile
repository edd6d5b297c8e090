# make serve   the site on http://127.0.0.1:8000/ (PORT, HOST, YIDIAN_DATA: see docs/operators/settings.md)
# make test    the whole suite on SQLite; make test-postgres takes DATABASE_URL
# make lint    everything that tools can hold
# make clean   removes what this file made; your data in ./var stays
.PHONY: serve test test-postgres lint clean
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

serve: .venv/.installed
	@exec $(BIN)/yidian serve

test: .venv/.installed-test
	$(BIN)/pytest -n auto -q

test-postgres: .venv/.installed-test
	@test -n "$$DATABASE_URL" || { echo "Set DATABASE_URL to a PostgreSQL that may be filled and emptied."; exit 2; }
	@# what never reaches the site's database is the same on every database, and runs once, in test
	$(BIN)/pytest -n auto -q --database-only

lint: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/djlint --lint --quiet src/yidian/web
	$(BIN)/ty check src/yidian/zh src/yidian/questionnaire src/yidian/triage --exclude src/yidian/triage/screen.py

# LHC-Forms, which browser tests compare the scores of self-tests with; a prebuilt package, nothing is compiled
.cache/lforms:
	@command -v npm >/dev/null || { echo "要 npm 才能取 LHC-Forms；没有它，那几个测试会跳过。"; exit 2; }
	@mkdir -p $@.new
	cd $@.new && npm pack --silent lforms@40.1.3 && tar xzf lforms-*.tgz package/dist/lforms package/LICENSE.md
	@rm $@.new/lforms-*.tgz && mv $@.new $@

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make a second `make serve` start at once: pip runs again only when a lock or pyproject.toml changes.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "需要 Python 3.11 或更新的版本，这里是：$$($(PYTHON) --version 2>&1)"; \
	  echo "请安装后再来，或写明用哪一个：make serve PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "缺少 Python 的 venv。"; echo "请安装，例如 Debian：sudo apt install python3-venv"; exit 1; }
	@rm -rf .venv
	$(PYTHON) -m venv .venv

.venv/.installed: requirements.lock pyproject.toml | .venv/bin/python
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps -e .
	@touch $@

.venv/.installed-test: .venv/.installed requirements-test.lock
	$(PIP) install --require-hashes -r requirements-test.lock
	@touch $@
