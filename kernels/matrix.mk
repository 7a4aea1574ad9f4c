# The kernel matrix: fetch, build a module for each, run the guest tests.

# SERIES:FLAVOUR:NAME of Debian's kernels; NAME is what test/kernels calls it.
DEBIAN_KERNELS := 6.1:amd64:6.1-amd64 6.1:cloud-amd64:6.1-cloud 6.1:rt-amd64:6.1-rt \
	6.12:amd64:6.12-amd64 6.12:cloud-amd64:6.12-cloud 6.12:rt-amd64:6.12-rt
DEPS_KERNELS := kmod dwarves gcc-12 qemu-system-common
ROWS ?=

.PHONY: deps-kernels kernels test-kernels
deps-kernels:
	@.ci/deps $(DEPS_KERNELS)

kernels: deps deps-kernels up-kernel ## fetch every kernel of the matrix, and build the module for each
	@for k in $(DEBIAN_KERNELS); do IFS=: read -r series flavour name <<<"$$k"; \
		kernels/fetch.sh $$series $$flavour build/kernels/$$name; \
		$(call build_module,build/kernels/$$name,build/kernels/modules/$$name); \
	done
	@mkdir -p build/kernels/modules/up && cp build/up/apkern.ko build/kernels/modules/up/

test-kernels: kernels all build/guest.test programs ## run the guest tests on every kernel (an hour); ROWS="6.12-rt 'up/8 CPUs'"
	$(GO) run ./test/kernels $(ROWS)
