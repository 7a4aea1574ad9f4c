# Kernels to run on, other than the installed one.

DEPS_BUILT := linux-source-6.1 xz-utils flex bison bc libelf-dev libssl-dev

UP := build/up-kernel
UP_RELEASE = $(shell cat $(UP)/release)

# build_module KERNEL,OUT: the module for a kernel as build.sh and fetch.sh leave it, in OUT.
build_module = $(MAKE) -s --no-print-directory -C module KREL=$$(cat $(1)/release) \
	KDIR=$(CURDIR)/$(1)/build OUT=$(CURDIR)/$(2) BLOB=$(CURDIR)/build/kernel.blob

.PHONY: deps-built up-kernel
deps-built:
	@.ci/deps $(DEPS_BUILT)

up-kernel: deps-built build/kernel.blob ## build a Linux without SMP, and the module for it (ten minutes, kept)
	@kernels/build.sh uniprocessor $(UP)
	@$(MAKE) --no-print-directory build/up/apkern.ko

# The modules for kernels that were built: of build/NAME-kernel in build/NAME.
build/up/apkern.ko build/debug/apkern.ko: build/%/apkern.ko: build/kernel.blob FORCE
	@$(call build_module,build/$*-kernel,build/module-$$(cat build/$*-kernel/release))
	@mkdir -p $(@D)
	@built=build/module-$$(cat build/$*-kernel/release)/apkern.ko; cmp -s $$built $@ || cp $$built $@

.PHONY: test-up
test-up: up-kernel all build/guest.test programs ## the suite that runs inside virtual machines, on that Linux
	KIND=up KERNEL=$(UP)/boot/vmlinuz-$(UP_RELEASE) MODULE=build/up/apkern.ko test/run-vm.sh $(BOOTS)

# The Linux that watches itself.
DEBUG := build/debug-kernel
DEBUG_RELEASE = $(shell cat $(DEBUG)/release)

.PHONY: debug-kernel
debug-kernel: deps-built build/kernel.blob ## build a Linux that watches itself, and the module for it (half an hour, kept)
	@kernels/build.sh debug $(DEBUG)
	@$(MAKE) --no-print-directory build/debug/apkern.ko

# What Linux reports at any time of a boot fails it; test/guest/watched_test.go looks.
# Booted whole: what runs first in a kernel that QEMU unpacked is instrumented by
# KASAN before KASAN is ready. Nothing is printed to the console: in Linux 6.1 that
# breaks the rules of nesting that are watched here.
.PHONY: test-debug-kernel
test-debug-kernel: debug-kernel all build/guest.test programs ## the suite on that Linux: KASAN, lockdep, kmemleak, debug objects (hours)
	SLOWER=6 VMFLAGS='--whole|--memory|3G|--env|APKERN_WATCHED=1|--append|log_buf_len=16M|--append|loglevel=1' \
		KERNEL=$(DEBUG)/boot/vmlinuz-$(DEBUG_RELEASE) MODULE=build/debug/apkern.ko test/run-vm.sh $(BOOTS)
