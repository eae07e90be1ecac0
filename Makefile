# make          the release binary, build/release/firn
# make test     the tests that every change must pass (ALL=1: the long ones too)
# make conformance  tables of many kinds, as Spark and every other engine reads them (ALL=1: of every kind; PYTEST_ARGUMENTS=…)
# make test-services  replication into every kind of catalog and store, real ones, and what breaks on the way (SERVICES="moto …")
# make chaos    a mixed load on real servers while everything breaks again and again (MINUTES=10; SEED=… repeats one)
# make fuzz     the parsers under libFuzzer with sanitizers, one after the other (SECONDS=60 each; NAMES="puffin …")
# make demo     a small shop in PostgreSQL, replicated live into Iceberg tables below demo/
# make bench    firn beside the floors that PostgreSQL itself sets, and beside others (bench/README.md; BENCH_ARGUMENTS="--only copy-trips")
# make docs     the documents as a website, build/site/index.html
# make install  program, library, units and documents below PREFIX (/usr/local)
# make package  Debian packages of them, build/release/packages/*.deb
# make lint     formatting and clang-tidy, for what differs from main (make lint ALL=1: for all, some ten minutes)
# make clean    removes build/ and what the demo made
#
# Each installs what it lacks (scripts/install-dependencies).
.DEFAULT_GOAL := release
.PHONY: release dev test test-services conformance chaos fuzz demo bench docs install package lint clean

release:
	@scripts/install-dependencies build
	@scripts/build release firn

dev:
	@scripts/install-dependencies build
	@scripts/build dev

test:
	@scripts/install-dependencies test
	@scripts/test $(if $(ALL),--all)

test-services:
	@scripts/install-dependencies test
	@scripts/build release firn
	@scripts/build dev firn_storage_test firn_catalog_test firn_catalog_glue_test
	@scripts/test-services $(SERVICES) -- $(PYTEST_ARGUMENTS)

conformance:
	@scripts/install-dependencies conformance
	@scripts/build release firn firn_read_table
	@scripts/conformance $(if $(ALL),,--short) $(PYTEST_ARGUMENTS)

MINUTES ?= 10
chaos:
	@scripts/install-dependencies test
	@scripts/build release firn
	@FIRN_CHAOS_SECONDS=$$(($(MINUTES) * 60)) $(if $(SEED),FIRN_CHAOS_SEED=$(SEED)) \
	  .venv/bin/python -m pytest -c tests/pytest.ini tests/test_chaos.py -q -s

SECONDS ?= 60
fuzz:
	@scripts/install-dependencies fuzz
	@scripts/fuzz $(SECONDS) $(NAMES)

demo:
	@scripts/install-dependencies demo
	@scripts/build release firn
	@.venv/bin/python demo/demo.py

bench:
	@scripts/install-dependencies bench
	@scripts/build release firn
	@.venv/bin/python -m bench $(BENCH_ARGUMENTS)

docs:
	@scripts/docs-site

PREFIX ?= /usr/local
install:
	@scripts/install-dependencies build
	@scripts/build release firn firn_library firn_c
	@cmake --install build/release --prefix $(PREFIX) --strip

package:
	@scripts/install-dependencies package
	@scripts/build release firn firn_library firn_c
	@cd build/release && cpack -G DEB

lint:
	@scripts/install-dependencies lint
	@scripts/lint $(if $(ALL),--all)

clean:
	rm -rf build demo/lake demo/state demo/postgres
