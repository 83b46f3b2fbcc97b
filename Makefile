# Both user commands (bench, test) do all their set-up in .venv; a stamp named after the pins' digest says what is installed.
.DEFAULT_GOAL := help
.PHONY: help bench bench-kind bench-proxy test check format e2e e2e-cluster e2e-api images istio-images kind-image kube-programs trust benchmarks lock clean
PYTHON ?= python3
TESTERS ?= logical
BIN := .venv/bin
digest = $(shell sha256sum $(1) pyproject.toml | sha256sum | cut -c1-16)
BENCH := .venv/.bench-$(call digest,requirements/bench.txt)
DEV := .venv/.dev-$(call digest,requirements/dev.txt)

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("hoptax needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": set PYTHON=python3.12, say") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv

define install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
endef

$(BENCH): requirements/bench.txt | .venv/bin/python
	$(call install,requirements/bench.txt)
	@touch $@

$(DEV): requirements/dev.txt | .venv/bin/python
	$(call install,requirements/dev.txt)
	@touch $@

bench: $(BENCH) ## what does a mesh cost per hop here? (about five minutes)
	$(BIN)/hoptax run quick

bench-kind: $(BENCH) ## the same in a kind cluster, by injection, Istio too (what make kind-image images istio-images built; 18 minutes)
	fixtures/kind/bench

test: $(DEV) ## every test that needs no cluster
	$(BIN)/python -m pytest -q -n $(TESTERS) -m "not system and not e2e"
	$(BIN)/python -m pytest --durations=20 -m "system and not e2e"

check: $(DEV) ## format, lint, types, arrows, unit tests
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n $(TESTERS) -m "not system and not e2e"

format: $(DEV) ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

e2e: $(DEV) ## slow lane: whole experiments, and what needs a kind cluster
	PATH=$(CURDIR)/build/kind/bin:$(CURDIR)/build/istio:$$PATH $(BIN)/python -m pytest -m e2e

e2e-cluster: $(DEV) ## slow lane: what needs a kind cluster (with what make kind-image images istio-images built)
	PATH=$(CURDIR)/build/kind/bin:$(CURDIR)/build/istio:$$PATH $(BIN)/python -m pytest -m e2e $(ONLY) $(addprefix tests/e2e/test_,helm.py api_server.py cluster.py meshes.py meshes_disturbed.py)

images: $(BENCH) ## the images that run in a cluster, without a registry (Debian 12; about two minutes)
	$(BIN)/python -m fixtures.images.build

kind-image: $(BENCH) ## kind, kubectl and a node image, without a registry (Debian 12, root, Docker, Go; about twelve minutes)
	$(BIN)/python -m fixtures.kind.offline.build

trust: $(DEV) ## the evidence of docs/trust.md, measured again (about half an hour on a quiet machine)
	$(BIN)/python -m benchmarks.coverage
	$(BIN)/python -m benchmarks.trust

bench-proxy: $(DEV) ## the built-in sidecar beside Envoy, with its bars (ten minutes; needs wrk and nginx); proxy.json goes to results
	$(BIN)/python -m benchmarks.proxy

benchmarks: $(DEV) ## report of a million rows; engine, service and proxy against their references (needs wrk, h2load and nginx)
	$(BIN)/python -m benchmarks.report
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.service
	$(BIN)/python -m benchmarks.proxy

kube-programs: $(BENCH) ## of kind-image only the programs: no Docker, no Debian packages
	$(BIN)/python -m fixtures.kind.offline.build --programs

e2e-api: $(DEV) ## of e2e-cluster only what needs no Docker (with what make kube-programs built; root)
	PATH=$(CURDIR)/build/kind/bin:$$PATH $(BIN)/python -m pytest -m e2e $(addprefix tests/e2e/test_,helm.py api_server.py)

istio-images: $(BENCH) ## istiod, its agent and an upstream Envoy as images, and their istioctl, without a registry (build/istio)
	fixtures/images/istio/build.sh build/istio $(BIN)/python

lock: $(DEV) ## resolve the pins again (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --extra envoy pyproject.toml requirements/build.in -o requirements/bench.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --all-extras pyproject.toml requirements/build.in -c requirements/bench.txt -o requirements/dev.txt
	for name in image image-envoy; do uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_31 --generate-hashes --no-header --no-annotate --no-emit-index-url requirements/$$name.in -c requirements/bench.txt -o requirements/$$name.txt; done

clean: ## remove what was built (not results)
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis
