# make run    install what is needed and start a server on an embedded store in ./data
# make test   install what is needed and pass every check and test
# Others: conformance, coverage, lint, types, format, bench, bench-peers, soak, faults-cassandra, esdb-clients, wheels, release,
# docs, reference, proto, lock, docs-viewer, clean. PYTHON=python3.13 chooses the interpreter.

PYTHON ?= $(shell tools/find_python.sh)
VENV := .venv
PEERS := .venv-peers
RELEASE := .venv-release
CASSANDRA := .cassandra
KAFKA := .kafka
OPENSEARCH := .opensearch
VIEWER := src/indelible/server/http/swagger_ui
BIN := $(VENV)/bin
UV ?= uv

# What the image of deploy/docker has beside the server itself.
CONTAINER_EXTRAS := backup grpc jwt otel postgres signing

PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALL_SELF := $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
COMPILE := $(UV) pip compile --no-strip-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet

.PHONY: run test test-packages conformance coverage lint types format bench bench-peers soak faults-cassandra esdb-clients wheels release docs reference proto lock docs-viewer clean

run: $(VENV)/.runtime-installed
	@exec $(BIN)/indelible serve $(ARGS)

# Bytecode is kept, whatever the environment says: else each worker compiles all tests anew. A worker that has nothing
# left takes over half of what another still has.
test:
	@$(MAKE) --no-print-directory --jobs 4 lint types $(CASSANDRA)/.fetched $(KAFKA)/.fetched $(OPENSEARCH)/.fetched test-packages
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 4 --dist worksteal $(ARGS)

test-packages:
	@tools/install_system_packages.sh chromium curl etcd-server fuse3 haproxy nodejs npm openssl pgbouncer prometheus prometheus-alertmanager rabbitmq-server slowhttptest strace systemd wrk

# All suites on all storages, over all transports. Those that take long are left out of the tests.
conformance: $(VENV)/.dev-installed $(CASSANDRA)/.fetched
	INDELIBLE_SLOW_SUITES=1 PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 4 --dist worksteal tests/conformance tests/cli/test_cassandra.py tests/examples/test_orders.py tests/integrations $(ARGS)

# Which lines no test reaches. It takes twice the time of the tests alone, and so is no part of them.
coverage: $(VENV)/.dev-installed $(CASSANDRA)/.fetched $(KAFKA)/.fetched $(OPENSEARCH)/.fetched
	$(BIN)/coverage erase
	PYTHONDONTWRITEBYTECODE= $(BIN)/coverage run -m pytest -n 4 --dist worksteal $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: $(VENV)/.dev-installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: $(VENV)/.dev-installed
	$(BIN)/mypy

format: $(VENV)/.dev-installed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.dev-installed
	@tools/install_system_packages.sh wrk
	$(BIN)/python -m benchmarks $(ARGS)

# Indelible beside other event stores, which are installed apart.
bench-peers: $(VENV)/.dev-installed $(PEERS)/.installed
	@tools/install_system_packages.sh nghttp2-client npm wrk
	$(BIN)/python -m benchmarks.peers $(ARGS)

# An hour of even load, and whether memory and open files stay as they are.
soak: $(VENV)/.dev-installed
	PYTHONPATH=tests $(BIN)/python -m faults.soak $(ARGS)

# Nodes of Cassandra and servers that break under load, for twenty minutes.
faults-cassandra: $(VENV)/.dev-installed $(CASSANDRA)/.fetched
	PYTHONPATH=tests $(BIN)/python -m faults.cassandra_faults $(ARGS)

# KurrentDB's and EventStoreDB's clients in every language, or those that ARGS names, with the server killed meanwhile.
# It says which toolchains are missing.
esdb-clients: $(VENV)/.dev-installed
	PYTHONPATH=tests $(BIN)/python -m esdb.clients.run $(ARGS)

# Whether the wheel works on every Python that it is for, and is on this machine: as the README says, from pip install on.
wheels: $(VENV)/.dev-installed
	PYTHONPATH=tests $(BIN)/python -m docs.wheels $(ARGS)

# What is published, in dist: wheel, sdist, a list of all that the server is made of (CycloneDX), checksums. Of a commit
# always the same bytes.
release: $(RELEASE)/.installed
	tools/release.sh $(RELEASE)/bin

# The documentation as a site, in site: of files alone, which any web server serves and a browser opens from the disk.
docs: $(VENV)/.dev-installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# The pages of docs/reference that follow from the code.
reference: $(VENV)/.dev-installed
	$(BIN)/python tools/reference.py

# The Python modules of src/indelible/wire/pb, from the .proto files. ARGS=--release also writes what releases are held to.
proto: $(VENV)/.dev-installed
	$(BIN)/python tools/proto.py $(ARGS)

# Needs uv. Without --upgrade in UPGRADE it keeps the versions that are locked now.
lock:
	$(COMPILE) $(UPGRADE) --group build -o requirements/build.txt
	$(COMPILE) $(UPGRADE) --group generators -o requirements/generators.txt
	$(COMPILE) $(UPGRADE) --group peers -o requirements/peers.txt
	$(COMPILE) $(UPGRADE) --group release -o requirements/release.txt
	$(COMPILE) $(UPGRADE) pyproject.toml -o requirements/runtime.txt
	$(COMPILE) $(UPGRADE) pyproject.toml --all-extras --group dev -c requirements/runtime.txt -o requirements/dev.txt
	$(COMPILE) pyproject.toml $(addprefix --extra ,$(CONTAINER_EXTRAS)) -c requirements/dev.txt -o requirements/container.txt

# The viewer of /docs, in the version that tools/docs_viewer/package-lock.json pins, with its licences.
docs-viewer:
	@tools/install_system_packages.sh nodejs npm
	cd tools/docs_viewer && npm ci --no-audit --no-fund
	cp $(addprefix tools/docs_viewer/node_modules/swagger-ui-dist/,$(notdir $(wildcard $(VIEWER)/*))) $(VIEWER)

clean:
	rm -rf $(VENV) $(PEERS) $(RELEASE) $(CASSANDRA) $(KAFKA) $(OPENSEARCH) .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache dist site

$(VENV)/.created:
	tools/create_venv.sh "$(PYTHON)" $(VENV)
	@touch $@

# Editable, so that sources need no reinstall; pyproject.toml does, for its commands and entry points.
$(VENV)/.runtime-installed: $(VENV)/.created requirements/runtime.txt requirements/build.txt pyproject.toml
	$(PIP_INSTALL) -r requirements/build.txt -r requirements/runtime.txt
	$(INSTALL_SELF)
	@touch $@

$(VENV)/.dev-installed: $(VENV)/.runtime-installed requirements/dev.txt
	$(PIP_INSTALL) -r requirements/dev.txt
	@touch $@

$(PEERS)/.installed: requirements/peers.txt
	tools/create_venv.sh "$(PYTHON)" $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/peers.txt
	@touch $@

$(RELEASE)/.installed: requirements/release.txt requirements/build.txt
	tools/create_venv.sh "$(PYTHON)" $(RELEASE)
	# One after the other: they may lock different versions of one package.
	@for lock in requirements/build.txt requirements/release.txt; do \
		$(RELEASE)/bin/python -m pip install --quiet --disable-pip-version-check -r $$lock || exit 1; done
	@touch $@

# The servers in Java that tests start. Maven brings Java.
%/.fetched: tools/fetch_java_server.sh
	@tools/install_system_packages.sh maven
	tools/fetch_java_server.sh $(filter %.xml,$^) $(@D)
	@touch $@

$(CASSANDRA)/.fetched: tools/cassandra/pom.xml
$(KAFKA)/.fetched: tools/kafka/pom.xml
$(OPENSEARCH)/.fetched: tools/opensearch/pom.xml tools/opensearch/TestNode.java
