# Every habit of this repository in one place. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PY := $(BIN)/python
SOURCES := crds operator agent-runtime devcluster demo tfreplay scripts benchmarks tests
VENV_STAMP := .venv/.installed-$(shell cat requirements/dev.txt */pyproject.toml 2>/dev/null | sha256sum | cut -c1-16)

##@ Use it
demo: venv model ## From an empty machine to an agent answering on real Kubernetes [DOCS=folder] [ASK="question"] [MODEL=openai:gpt-5-mini [MODEL_BASE_URL=http://...]] [CONTEXT=name REGISTRY=host/path]
	$(PY) -m slipway_demo up $(if $(DOCS),--docs "$(DOCS)") $(if $(ASK),--ask "$(ASK)") $(if $(MODEL),--model "$(MODEL)") $(if $(MODEL_BASE_URL),--model-base-url "$(MODEL_BASE_URL)") $(if $(CONTEXT),--context "$(CONTEXT)") $(if $(REGISTRY),--registry "$(REGISTRY)")

down: venv ## Remove what `make demo` made [CONTEXT=name]
	$(PY) -m slipway_demo down $(if $(CONTEXT),--context "$(CONTEXT)")

dev: venv model ## The same manifests without a cluster, reloaded when they change [MANIFESTS=path] [PORT=8080]
	$(BIN)/slipway dev -f $(or $(MANIFESTS),examples/handbook) $(if $(PORT),--port $(PORT))

kafka: venv ## A broker of Kafka on this machine, to try triggers of workflows [PORT=9092]
	$(PY) -m tests.support.kafka_server $(or $(PORT),9092)

##@ Check it
# Tests with real processes share a small machine with them. One that fails is run once more and named as RERUN.
RERUN := --reruns 1 -r aR
# Most of the fast tests wait for something, so there are more workers than cores.
WORKERS := -n 5 --dist worksteal
# Those with a cluster wait even more; tests that share one stay together in one worker.
CLUSTER_WORKERS := -n 3 --dist loadscope --no-loadscope-reorder
# Every worker imports every test file that it may run, so each run leaves out the folders that have nothing for it
# (tests/scripts/test_suites.py).
WITH_CLUSTER := tests/blackbox tests/cluster tests/devcluster tests/security tests/terraform tests/tfreplay
ONLY_CLUSTER := tests/cluster tests/terraform
CLUSTER_FOLDERS := $(addprefix --ignore=,$(filter-out $(WITH_CLUSTER) tests/support tests/conftest.py,$(wildcard tests/*)))
FAST_FOLDERS := $(addprefix --ignore=,$(ONLY_CLUSTER))
# Most of what mypy found out about one working copy holds in the next.
export MYPY_CACHE_DIR := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/slipway/mypy
# Where it is set, each of those processes would compile everything anew.
export PYTHONDONTWRITEBYTECODE :=

# The first five use one core each.
test: venv model ## Everything that must hold, on a real cluster too
	@$(MAKE) -j 2 --output-sync=target check lint-delivery audit-tools scanners eval ARGS=
	@$(MAKE) test-fast
	$(PY) -m pytest -q -m "(cluster or terraform) and not deep" $(CLUSTER_FOLDERS) $(CLUSTER_WORKERS) $(RERUN) $(ARGS)

test-fast: venv model ## What needs no cluster
	$(PY) -m pytest -q -m "not cluster and not terraform and not deep" $(FAST_FOLDERS) $(WORKERS) $(RERUN) $(ARGS)

test-deep: venv model ## What is exhaustive and takes long: run nightly, and before a release
	$(PY) -m pytest -q -m deep $(ARGS)

test-cluster: venv model ## What needs a real Kubernetes (started here if there is none)
	$(PY) -m pytest -q -m "cluster and not deep" $(CLUSTER_FOLDERS) $(CLUSTER_WORKERS) $(RERUN) $(ARGS)

test-crds: venv ## The CRDs against a real API server of one version [K8S=1.34|1.36]
	$(PY) -m devcluster control-plane --kubernetes $(or $(K8S),1.34) -- $(PY) -m pytest -q tests/cluster/test_crds.py $(ARGS)

test-terraform: venv scanners ## Terraform's format, validation and tests, and Terratest's compilation: no cloud, no registry
	$(PY) -m pytest -q -m "terraform and not deep" $(ARGS)

terratest: ## One stack applied to a real cloud and destroyed: CLOUD=gcp|aws|azure, skipped without an account
	cd terraform/terratest && go test -v -count=1 -timeout 5h -run '(?i)^Test$(or $(CLOUD),$(error say which: make terratest CLOUD=gcp, aws or azure))$$' ./...

test-all-agents: venv model ## Every architecture through every skin
	$(PY) -m pytest -q tests/blackbox -m "not cluster and not deep" $(ARGS)

check: lint types layers generated ## Style, types, import layers, generated files up to date

lint: venv ## ruff: style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv ## mypy, strict
	$(BIN)/mypy $(wildcard crds/slipway_crds operator/slipway_operator agent-runtime/slipway_runtime devcluster/devcluster demo/slipway_demo tfreplay/tfreplay)
	$(BIN)/mypy $(wildcard scripts benchmarks tests)

layers: venv ## Which package may import which
	$(BIN)/lint-imports --config pyproject.toml

generated: venv ## Fail when a generated file is stale
	$(PY) -m slipway_crds.generate --check
	$(PY) scripts/openapi.py --check
	$(PY) scripts/handbook.py --check
	$(BIN)/tfreplay docs --check terraform

# An environment apart from .venv is made from a hashed lock, and again when the lock changes. It is complete once its
# stamp is there.
environment_of = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/slipway/$1-$(shell sha256sum requirements/$1.txt | cut -c1-16)
install_environment = @[ -e $2/.installed ] || { $(PYTHON) -m venv $2 && $(BIN)/uv pip sync -q --python $2/bin/python --require-hashes requirements/$1.txt && touch $2/.installed; }
AUDIT := $(call environment_of,audit)
SCANNERS := $(call environment_of,scanners)
SEMGREP := $(call environment_of,semgrep)
RAGAS := $(call environment_of,ragas)
CONTEXTFORGE := $(call environment_of,contextforge)

audit: venv audit-tools ## Code, secrets, licences, configuration, SBOMs: what works offline, and what was not looked at
	$(PY) -m scripts.audit --tools $(AUDIT)/bin

audit-tools: venv
	$(call install_environment,audit,$(AUDIT))
	@$(PY) -m scripts.audit.history

SEMGREP_LIMIT = 5m
semgrep: venv ## Semgrep's rules for Python, secrets and delivery files: downloads them from its registry
	$(call install_environment,semgrep,$(SEMGREP))
	@PATH="$(SEMGREP)/bin:$$PATH" timeout --kill-after=10s $(SEMGREP_LIMIT) semgrep scan --error --severity ERROR --metrics off --disable-version-check --config p/default $(ARGS) || { \
	  status=$$?; [[ $$status != 124 && $$status != 137 ]] || echo "semgrep did not end within $(SEMGREP_LIMIT). It downloads its rules from semgrep.dev: is that reachable? More time: make semgrep SEMGREP_LIMIT=20m" >&2; exit $$status; }

VULNERABLE := --scanners vuln --severity HIGH,CRITICAL --ignore-unfixed --exit-code 1 --skip-version-check
vulnerabilities: venv audit-tools ## Known vulnerabilities of the locks, and of what `make images` wrote: downloads trivy's database
	$(AUDIT)/bin/trivy fs $(VULNERABLE) --file-patterns 'pip:requirements/.*\.txt$$' --skip-dirs .venv --skip-dirs .make .
	for archive in .make/images/*.oci.tar; do [ ! -f "$$archive" ] || $(AUDIT)/bin/trivy image $(VULNERABLE) --input "$$archive"; done

lint-delivery: venv audit-tools ## actionlint and shellcheck over .github, and the checker of .harness
	$(PY) scripts/actionlint.py --shellcheck $(AUDIT)/bin/shellcheck
	$(PY) -m scripts.harness check .harness

scan-terraform: venv scanners ## Misconfigurations in terraform/ by checkov and trivy: every finding is fixed or explained in place
	$(SCANNERS)/bin/checkov -d terraform --framework terraform --skip-download --download-external-modules false --quiet --compact $(ARGS)
	$(SCANNERS)/bin/trivy config --skip-check-update --quiet --exit-code 1 --severity MEDIUM,HIGH,CRITICAL --tf-exclude-downloaded-modules terraform

scanners: venv
	$(call install_environment,scanners,$(SCANNERS))

conformance: venv model ## The official suites of protocols: MCP's, and A2A's from the folder that A2A_TCK_DIR names
	$(PY) -m pytest -q -rs $(wildcard tests/runtime/gateway/*/test_conformance.py) $(ARGS)

##@ Ship it
images: venv model audit-tools ## Every image as an OCI archive with its SBOM and digest, into .make/images [TO=folder]
	$(PY) -m slipway_demo archives --to $(or $(TO),.make/images) --syft $(AUDIT)/bin/syft

# Both sign in with the variables REGISTRY_USER and REGISTRY_PASSWORD where they are set.
RELEASE = --registry $(or $(REGISTRY),$(error say where to: make $@ REGISTRY=host/path TAG=version)) --tag $(or $(TAG),$(error say which version: make $@ REGISTRY=host/path TAG=version))
publish-images: venv model ## Push every image: REGISTRY=host/path TAG=version; their digests into .make/published
	$(PY) -m slipway_demo publish-images $(RELEASE) --to .make/published

publish-chart: venv ## Push the chart to oci://REGISTRY/charts: REGISTRY=host/path TAG=version; its digest likewise
	$(PY) -m slipway_demo publish-chart $(RELEASE) --to .make/published

deploy: venv ## One step of a deployment by digest: STEP=start|compare|switch|finish CONTEXT=name STRATEGY=rolling|blue-green|canary PUBLISHED=file VALUES=files, or STEP=roll-back CONTEXT=name
	$(PY) -m scripts.deploy $(or $(STEP),$(error say which step: make deploy STEP=finish CONTEXT=name ...)) --context $(or $(CONTEXT),$(error say which cluster: CONTEXT=name of a context in your kubeconfig)) $(if $(STRATEGY),--strategy $(STRATEGY)) --published $(or $(PUBLISHED),.make/published.json) $(if $(VALUES),--values $(VALUES)) $(ARGS)

##@ Measure it
eval: venv model ## The handbook's cases, as a gate
	$(BIN)/slipway eval -f examples/handbook $(if $(filter eval,$(MAKECMDGOALS)),$(ARGS))

bench-rag: venv model ## Retrieval, extraction and abstention on questions nobody here wrote: DATA=folder of CLAPnq
	$(PY) benchmarks/rag.py $(or $(DATA),$(error say where CLAPnq lies: make bench-rag DATA=folder)) $(ARGS)

ragas: venv model ## The handbook's answers by ragas's metrics that need no model
	$(call install_environment,ragas,$(RAGAS))
	@mkdir -p .make && { $(BIN)/slipway eval -f examples/handbook --json .make/eval.json >/dev/null || [ $$? = 1 ]; }
	$(RAGAS)/bin/python scripts/ragas_scores.py .make/eval.json $(ARGS)

bench-gateway: venv ## What the gateway adds to a call of an MCP server's tool, with ContextForge in the same run
	$(call install_environment,contextforge,$(CONTEXTFORGE))
	CONTEXTFORGE_PYTHON=$(CONTEXTFORGE)/bin/python $(PY) -m benchmarks gateway $(ARGS)
	$(PY) -m benchmarks docs
	$(PY) scripts/handbook.py

bench-workflow: venv ## Steps of workflows a second and between two steps, against the bare engine, and 10,000 queued runs
	$(PY) -m benchmarks workflow $(ARGS)
	$(PY) -m benchmarks docs

bench-vector: venv model ## Searches in vector stores against their bare clients, and ingestion against the bare model [VECTORS=100000]
	VECTORS=$(VECTORS) $(PY) -m benchmarks vectors $(ARGS)
	$(PY) -m benchmarks docs

bench: venv model ## Latency, CPU, memory and scale compared with their bars, into benchmarks/results and docs [ARGS="question startup"]
	$(PY) -m benchmarks $(ARGS)
	$(PY) -m benchmarks docs
	$(PY) scripts/handbook.py

##@ Work on it
generate: venv ## Write every generated file
	$(PY) -m slipway_crds.generate
	$(PY) -m benchmarks docs
	$(PY) scripts/openapi.py
	$(PY) scripts/handbook.py
	$(BIN)/tfreplay docs terraform

vendor: ## Renew the files of Swagger UI at the version that the script names
	$(PYTHON) scripts/vendor_swagger_ui.py

format: venv ## Put imports and layout in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q
lock: venv ## Renew the hashed requirements from requirements/*.in [ARGS=--upgrade]
	$(BIN)/$(LOCK) $(ARGS) requirements/dev.in -o requirements/dev.txt
	for set in runtime standalone operator uv; do \
	  $(BIN)/$(LOCK) $(ARGS) -c requirements/dev.txt requirements/$$set.in -o requirements/$$set.txt; done
	for set in audit contextforge ragas scanners semgrep; do $(BIN)/$(LOCK) $(ARGS) requirements/$$set.in -o requirements/$$set.txt; done
	for set in chroma postgres; do \
	  $(BIN)/$(LOCK) $(ARGS) --no-deps requirements/$$set.in -o requirements/$$set.txt; done

venv: $(VENV_STAMP) ## The virtual environment with everything a working copy needs

$(VENV_STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Slipway needs Python 3.11 or newer; found $$($(PYTHON) --version)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; }
	[ -x $(PY) ] || $(PYTHON) -m venv .venv
	$(PY) -m pip install -q --require-hashes --only-binary :all: -r requirements/uv.txt
	$(BIN)/uv pip install -q --compile-bytecode --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install -q --no-deps --no-build-isolation $(patsubst %/pyproject.toml,-e ./%,$(wildcard */pyproject.toml))
	@rm -f .venv/.installed-*; touch $@

model: venv ## The embedding model, built once from its weights into the user's cache
	@$(PY) -m slipway_runtime.knowledge.embedding.build_model build

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z][a-z-]*:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo down dev kafka test test-fast test-cluster test-crds test-terraform terratest test-all-agents check lint types layers generated audit audit-tools scan-terraform scanners semgrep vulnerabilities lint-delivery images publish-images publish-chart deploy eval bench-rag ragas bench-workflow bench-vector bench generate vendor format lock venv model help
