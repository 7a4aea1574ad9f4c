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

build/up/apkern.ko: build/kernel.blob FORCE
	@$(call build_module,$(UP),build/module-$(UP_RELEASE))
	@mkdir -p $(@D)
	@cmp -s build/module-$(UP_RELEASE)/apkern.ko $@ || cp build/module-$(UP_RELEASE)/apkern.ko $@

.PHONY: test-up
test-up: up-kernel all build/guest.test programs ## the suite that runs inside virtual machines, on that Linux
	KIND=up KERNEL=$(UP)/boot/vmlinuz-$(UP_RELEASE) MODULE=build/up/apkern.ko test/run-vm.sh $(BOOTS)
