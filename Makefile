# Everything here runs from a clean checkout; what it needs is fetched by the package managers and cached outside the tree.
.DEFAULT_GOAL := help
SHELL := /bin/bash -o pipefail
export UV_PYTHON_DOWNLOADS := never
UV := .uv/bin/uv
PYTHON := .venv/bin/python
TRAINER := trainer-image/.venv/bin/python
# What `make traffic` plays, and how often; one story alone: make traffic STORIES=losses REPEATS=1
STORIES := traffic losses scarce adoption gateway bare
REPEATS := 5

.PHONY: help
help: ## Say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

.PHONY: init
init: .venv/.synced trainer-image/.venv/.synced ## Make both virtual environments from their lock files

$(UV): uv.requirements.txt
	@python3 -c 'import ensurepip' 2>/dev/null || { echo 'python3-venv is missing and will be installed'; apt-get install -y python3-venv; }
	python3 -m venv .uv
	.uv/bin/python -m pip install --quiet --require-hashes --requirement uv.requirements.txt
	@touch $@

.venv/.synced: $(UV) pyproject.toml uv.lock
	$(UV) sync --quiet --locked --all-extras
	@touch $@

trainer-image/.venv/.synced: $(UV) trainer-image/pyproject.toml trainer-image/uv.lock
	$(UV) sync --quiet --locked --project trainer-image --extra cpu
	@touch $@

.PHONY: generate
generate: .venv/.synced ## Write what is generated: CRDs, the chart's copies, the drawn phases
	$(PYTHON) -m retrainer.api.crd crds
	mkdir -p charts/retrainer/files/crds && cp crds/*.yaml charts/retrainer/files/crds/
	$(PYTHON) docs/draw_phases.py

.PHONY: verify
verify: generate ## Fail when something generated is stale
	git diff --exit-code -- crds charts/retrainer/files docs

.PHONY: format
format: .venv/.synced ## Format the code
	.venv/bin/ruff format operator tests demo docs
	.venv/bin/ruff check --fix operator tests demo docs

.PHONY: lint
lint: init ## Check style, layers and formatting
	.venv/bin/ruff check operator tests demo docs
	.venv/bin/ruff format --check operator tests demo docs
	.venv/bin/lint-imports --no-cache
	cd trainer-image && .venv/bin/ruff check . && .venv/bin/ruff format --check .

.PHONY: type
type: init ## Check types
	.venv/bin/mypy
	cd trainer-image && .venv/bin/mypy

.PHONY: unit
unit: .venv/.synced ## Run the pure tests (seconds)
	$(PYTHON) -m pytest tests/unit -q

.PHONY: property
property: .venv/.synced ## Run random worlds, replays, references, the command line, and the shape of the code (a minute)
	$(PYTHON) -m pytest tests/property tests/architecture tests/cli -q

.PHONY: contract
contract: .venv/.synced ## Run fakes and real adapters through the same tests
	YES=1 $(PYTHON) -m pytest tests/contract tests/chart -q

.PHONY: integration
integration: .venv/.synced trainer-image/.venv/.synced postgres ## Run the operator against a real API server
	YES=1 $(PYTHON) -m pytest tests/integration -q

.PHONY: postgres
postgres:
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || { \
		[ "$$YES" = 1 ] || read -rp 'The Debian package postgresql will be installed. Go on? [y/N] ' answer && [ "$$YES" = 1 -o "$$answer" = y ] && \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql; }

.PHONY: chromium
chromium:
	@command -v chromium chromium-browser google-chrome >/dev/null || { \
		[ "$$YES" = 1 ] || read -rp 'The Debian package chromium will be installed. Go on? [y/N] ' answer && [ "$$YES" = 1 -o "$$answer" = y ] && \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends chromium; }

.PHONY: trainer
trainer: postgres chromium init ## Run the trainer image's tests, on a real Postgres, a real S3 server and a real browser
	cd trainer-image && .venv/bin/python -m pytest -q

.PHONY: bench-monitor
bench-monitor: postgres trainer-image/.venv/.synced ## Time monitor and report on ten million predictions, or ROWS (needs 12 GiB of disk and some minutes)
	mkdir -p build && cd trainer-image && .venv/bin/python -m tests.bench.ten_million $(ROWS) > ../build/ten-million.md
	@grep '^## ' build/ten-million.md

.PHONY: e2e
e2e: .venv/.synced ## Run the story in short form on a real node
	YES=1 $(PYTHON) -m pytest tests/e2e -q

.PHONY: crash
crash: .venv/.synced ## Kill the operator before and after every write of every story, three times each; at every tenth also on a real node
	YES=1 REPEATS=$${REPEATS:-3} $(PYTHON) -m pytest tests/crash/test_crashes.py tests/crash/on_a_node.py -q -s

.PHONY: traffic
traffic: .venv/.synced ## Show on a real node, at 200 requests a second, that none fails: each story five times (half an hour)
	YES=1 REPEATS=$(REPEATS) $(PYTHON) -m pytest $(STORIES:%=tests/e2e/%.py) -q
	@grep -h 'requests, ' build/e2e/timeline.jsonl

.PHONY: bench
bench: .venv/.synced ## Measure what idle policies cost, on a real API server and Prometheus (ten minutes)
	$(PYTHON) -m tests.bench.idle

.PHONY: bench-alerts
bench-alerts: .venv/.synced ## Time alerts to their Jobs against a raw POST, and a burst of 500 (five minutes)
	$(PYTHON) -m tests.bench.alerts

.PHONY: bench-rollbacks
bench-rollbacks: .venv/.synced ## Time fifty rollbacks on a real node at 200 requests a second, from the verdict to the last answer
	YES=1 $(PYTHON) -m tests.bench.rollbacks

.PHONY: draw-rates
draw-rates: .venv/.synced ## Simulate how often an analysis is wrong, and draw it for the docs (four minutes)
	$(UV) run --quiet --locked --all-extras --group plots python -m tests.bench.analysis_rates --draw docs/images/analysis-rates.svg

.PHONY: test
test: init verify lint type trainer ## Run all checks and tests
	YES=1 $(PYTHON) -m pytest -q --durations=15

.PHONY: demo
demo: .venv/.synced ## Show the whole story on a real cluster (asks once before it changes the machine; YES=1 does not ask)
	$(PYTHON) -m demo.story

.PHONY: demo-down
demo-down: .venv/.synced ## Take the demo's cluster down
	$(PYTHON) -m demo.story down

.PHONY: clean
clean: ## Remove what the checkout has built; caches outside the tree stay
	rm -rf .uv .venv trainer-image/.venv build .mypy_cache .pytest_cache .ruff_cache .hypothesis
