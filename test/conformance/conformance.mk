# Other projects' test suites, natively and adopted. Not part of `make test`: all of
# them take hours.
#   SUITES   which (default: all); `make conformance-list` lists them
#   PARAMS   the module's parameters, as stay=0
#   CONTINUE=1  keep the results that are there

SUITES ?=
PARAMS ?=
CONTINUE ?=
DEPS_CONFORMANCE := python3 libpython3.11-testsuite dpkg-dev stress-ng rt-tests sqlite3 redis-server nginx-light wrk \
	postgresql-15 openjdk-17-jdk-headless nodejs openmpi-bin libopenmpi-dev gcc make
CONFORMANCE := build/conformance
GO_SUITES := sync sync/atomic os os/exec os/signal net time runtime

.PHONY: deps-conformance conformance conformance-list conformance-suites
deps-conformance:
	@.ci/deps $(DEPS_CONFORMANCE)

conformance: deps deps-conformance all conformance-suites ## compare other projects' test suites, natively and adopted (hours); SUITES="cpython/test_os go"
	$(CONFORMANCE)/conformance $(if $(CONTINUE),-continue) $(if $(PARAMS),-params '$(PARAMS)') $(SUITES)

conformance-list: $(CONFORMANCE)/conformance
	@$< -list

$(CONFORMANCE)/conformance: FORCE
	CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./test/conformance

conformance-suites: $(CONFORMANCE)/conformance
	@test/conformance/posix.sh $(CONFORMANCE)/posix
	@test/conformance/stress.sh $(CONFORMANCE)/stress
	@mkdir -p $(CONFORMANCE)/go && rm -rf $(CONFORMANCE)/programs && cp -r test/conformance/programs $(CONFORMANCE)/
	@for p in $(GO_SUITES); do CGO_ENABLED=1 $(GO) test -c -o $(CONFORMANCE)/go/$${p//\//-}.test $$p; done
