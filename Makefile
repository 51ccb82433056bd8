# What a newcomer types and what CI runs. `make demo` and `make test` are the two that matter.

# One place for what is built, whatever the shell says; and no account of the host's in demo or tests.
export CARGO_TARGET_DIR := $(CURDIR)/target
unexport AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE AWS_REGION
unexport AWS_DEFAULT_REGION AWS_ENDPOINT_URL AWS_ENDPOINT_URL_ECS AWS_ENDPOINT_URL_EC2
unexport AWS_ENDPOINT_URL_STS AWS_CA_BUNDLE
# Cargo needs the proxies of the host; the product's own calls in demo and tests go to loopback,
# which is never proxied.

PROFILE ?= dev
FOLDER := $(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
AGENT := target/static/fargate-agent
export FARGATE_AGENT ?= $(CURDIR)/$(AGENT)

.PHONY: help demo test day build agent lint format bench dist images compose-demo aws-acceptance clean

help:
	@echo "make demo    see jobs run on this machine: no AWS account, no Docker"
	@echo "             FAULTS=docs/rainy-day.faults  with what goes wrong by these rules"
	@echo "             STAY=1  keeps the page with the jobs open until Ctrl-C"
	@echo "make test    everything that must hold"
	@echo "make day     of these, a job of 24 hours on a moved clock"
	@echo "make lint    formatting, clippy, documentation"
	@echo "make bench   speed and memory, beside OpenSSH in the same run"
	@echo "make dist    the release binaries in target/dist, with a Debian package, an archive and their sums"
	@echo "make images  the images with these binaries, on your Docker Engine (images/README.md)"
	@echo "make compose-demo    a job in a container, with an emulated AWS and a private registry"
	@echo "make aws-acceptance IMAGE=...    the stack, a job and what was seen, in your AWS account; it costs money"

demo:
	@tests/neighbours.sh demo
	@$(MAKE) --no-print-directory build
	@target/$(FOLDER)/fargate-local demo $(if $(FAULTS),--faults '$(FAULTS)') $(if $(STAY),--stay)

# The whole-product tests start the real binaries, so those are built first. They wait for them more than they
# compute, so more of them run side by side than there are processors.
test: export RUST_TEST_THREADS ?= 4
test: neighbours build
	cargo test --workspace --profile $(PROFILE)

# A job of 24 hours, on a clock that the test moves; part of `make test`.
day: neighbours build
	cargo test --workspace --profile $(PROFILE) --test day_long_job

build: agent
	cargo build --workspace --bins --profile $(PROFILE)

# One static binary, so that it runs in any image. The flag stands here and not in a configuration
# file, because set for the whole workspace it breaks procedural macros.
agent:
	cargo rustc --package fargate-agent --bin fargate-agent --profile $(PROFILE) -- -C target-feature=+crt-static
	@mkdir -p $(dir $(AGENT))
	@cp target/$(FOLDER)/fargate-agent $(AGENT).new && mv $(AGENT).new $(AGENT)

.PHONY: neighbours
neighbours:
	@tests/neighbours.sh test

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	@if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; else echo "cargo-deny is not installed: licences and bans were not checked"; fi

format:
	cargo fmt --all

# `make bench ONLY="run stock"` measures some sections; a name that is not there tells the names.
# A release agent has a folder of its own, so that it and the debug one never replace each other.
RELEASE_AGENT := target/release/static/fargate-agent

bench: neighbours
	$(MAKE) build PROFILE=release AGENT=$(RELEASE_AGENT)
	FARGATE_AGENT=$(CURDIR)/$(RELEASE_AGENT) cargo bench --package fargate-tests --bench bench -- $(ONLY)

dist:
	$(MAKE) build PROFILE=release AGENT=$(RELEASE_AGENT)
	@mkdir -p target/dist
	@cp target/release/fargate-runner target/release/fargate-local $(RELEASE_AGENT) target/dist/
	@packaging/make-dist.sh target/release $(RELEASE_AGENT) target/dist
	@ls -l target/dist

# `make images ONLY=ci BASE=debian:bookworm-slim` builds some, on a base of yours.
images: dist
	@FARGATE_AGENT= images/build.sh target/dist $(ONLY)

# On the engine of DOCKER_HOST. WRONG_LOGIN=1 shows how a job fails whose registry refuses the login.
compose-demo: build
	@images/compose-demo.sh target/$(FOLDER)

# In the account of these credentials, for some 30 minutes (infrastructure/README.md). This Makefile hides the host's
# account from all else, so profile and Region are given by name: `make aws-acceptance IMAGE=... PROFILE_OF_AWS=ci
# REGION=eu-west-1`. WRITE_DOCS=1 turns pending rows of the docs into seen ones.
aws-acceptance: dist
	@[ -n "$(IMAGE)" ] && [ -n "$(REGION)" ] || { echo "make aws-acceptance: IMAGE=... and REGION=... are needed; infrastructure/README.md explains them" >&2; exit 2; }
	@tests/conformance/install.sh
	@env -u AWS_ENDPOINT_URL $(if $(PROFILE_OF_AWS),AWS_PROFILE='$(PROFILE_OF_AWS)') AWS_DEFAULT_REGION='$(REGION)' AWS_REGION='$(REGION)' PYTHONDONTWRITEBYTECODE=1 \
		target/python/bin/python infrastructure/acceptance/accept.py --image '$(IMAGE)' $(if $(HERE),--here --programs target/dist) $(if $(WRITE_DOCS),--write-docs)

clean:
	cargo clean
