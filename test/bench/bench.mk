# Measures what application CPUs cost and gain: docs/benchmarks.md.
#   BENCH  benchmarks or groups (default: all)
#   PAIRS  of each (default 10)
#   OUT    directory of samples (default: build/bench-results/, date and time)

BENCH ?=
PAIRS ?= 10

.PHONY: bench bench-programs
bench: deps ## measure what application CPUs cost and gain; BENCH="call compute" selects, PAIRS=30
	@$(MAKE) --no-print-directory all
	@mkdir -p build/bench-results
	bin/apkern bench run -n $(PAIRS) -o $(or $(OUT),build/bench-results/$(shell date +%Y%m%d-%H%M%S)) $(BENCH)

bench-programs:
	@$(MAKE) --no-print-directory -C test/bench OUT=$(CURDIR)/build/bench
