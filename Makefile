# apkern: build, show, test. `make help` lists the targets.
#
# Products go to build/ and bin/; nothing else in the tree changes. Variables:
#   KREL    the Linux release the module is built for and the VMs boot
#           (default: the newest installed one that has headers)
#   BOOTS   boots of test-vm, see test/run-vm.sh (default: all)
#   KNOBS   parameters of test-knobs (default: each that switches a fast path off)
#   MUTANTS mutants of test-mutants (default: all)

MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# Looked up when it is used: `make deps` may have installed it a moment ago.
KREL ?= $(shell for d in $$(ls -d /lib/modules/*-amd64 2>/dev/null | grep -v -e -cloud- -e -rt- | sort -rV); do \
	r=$$(basename $$d); if [ -e $$d/build/Makefile ] && [ -e /boot/vmlinuz-$$r ]; then echo $$r; break; fi; done)
BOOTS ?=
MUTANTS ?=
KNOBS ?= answer=none fault_around=0 poll_us=0 wait_us=0

GO ?= go
# The time of every file that images and packages hold: that of the last commit,
# so that one commit makes one of each.
EPOCH = $(shell git log -1 --format=%ct 2>/dev/null || echo 1767225600)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Packages whose tests run here; those of test/guest run inside the VM.
HOST_PACKAGES = $(shell $(GO) list ./... | grep -v '/test/guest$$')

DEPS := gcc libc6-dev make binutils kmod linux-image-amd64 linux-headers-amd64 qemu-system-x86 \
	python3 perl strace gdb linux-perf
DEPS_LINT := sparse clang-format linux-source-6.1 xz-utils

.PHONY: all build
all build: bin/apkern build/apkern.ko build/libstartup.so.1 bench-programs ## build everything: command, module, startup library, benchmarks

.PHONY: help
help: ## list the targets
	@awk -F '##' '/^[a-z][^=]*:.*##/ { split($$1, t, ":"); printf "%-18s%s\n", t[1], $$2 }' $(MAKEFILE_LIST)

.PHONY: deps deps-lint
deps: ## install what building and testing need and is missing (apt, with sudo unless root)
	@.ci/deps $(DEPS)

deps-lint: ## the same for lint
	@.ci/deps $(DEPS_LINT)

.PHONY: demo
demo: deps ## show programs on application CPUs, beside the same run natively
	@$(MAKE) --no-print-directory all build/demo/whereami build/demo/onexit.so
	@test/demo.sh

.PHONY: test test-host test-vm test-knobs test-mutants
test: deps ## pass all tests, on this machine and in VMs
	@$(MAKE) --no-print-directory test-host
	@$(MAKE) --no-print-directory test-vm

test-host: all ## everything that is not assembly or C, under the race detector
	$(GO) test -race $(HOST_PACKAGES)

test-vm: all build/guest.test programs ## the suite that runs inside virtual machines
	KERNEL=$(KREL) test/run-vm.sh $(BOOTS)

test-knobs: all build/guest.test programs ## the same with each fast path switched off by its parameter, one after another
	@failed=; for knob in $(KNOBS); do \
		echo "==== $$knob"; KNOBS=$$knob KERNEL=$(KREL) test/run-vm.sh $(BOOTS) || failed="$$failed $$knob"; \
	done; [ -z "$$failed" ] || { echo "failed with:$$failed" >&2; exit 1; }

test-mutants: all up-kernel build/guest.test programs ## break one mechanism at a time; its test must notice
	$(GO) run ./test/mutants -kernel $(KREL) $(MUTANTS)

.PHONY: lint lint-go lint-c
lint: lint-go lint-c ## static checks of Go and C

lint-go:
	@unformatted=$$(gofmt -l $$(find . -name '*.go' -not -path './build/*')); \
		[ -z "$$unformatted" ] || { echo "gofmt would change: $$unformatted" >&2; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags metal ./kernel/...
	$(GO) vet -tags manpages ./cmd/apkern
	$(GO) run $(STATICCHECK) ./...
	GOOS=linux GOARCH=amd64 $(GO) run $(STATICCHECK) -tags metal ./kernel/...

lint-c: deps-lint build/kernel.blob build/checkpatch/checkpatch.pl
	@.ci/lint-c $(KREL)

build/checkpatch/checkpatch.pl: | deps-lint
	@mkdir -p $(@D)
	tar -xf /usr/src/linux-source-6.1.tar.xz -C $(@D) --strip-components=2 --wildcards \
		'*/scripts/checkpatch.pl' '*/scripts/spelling.txt' '*/scripts/const_structs.checkpatch'

.PHONY: clean
clean: ## remove everything that was built
	rm -rf build bin

# Products. The go command and Kbuild know best what is out of date: they are
# always asked, and leave a product alone that would not change.

.PHONY: FORCE programs
bin/apkern: FORCE
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags="-E apkern/internal/launch.Entry" -o $@ ./cmd/apkern

build/kernel.blob: FORCE
	@$(GO) run ./cmd/kimage -o $@.new -elf build/kernel.elf
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

build/apkern.ko: build/kernel.blob FORCE
	@[ -n "$(KREL)" ] || { echo "no Linux with headers is installed: run make deps" >&2; exit 1; }
	@$(MAKE) --no-print-directory -C module KREL=$(KREL) OUT=$(CURDIR)/build/module-$(KREL) BLOB=$(CURDIR)/$<
	@cmp -s build/module-$(KREL)/apkern.ko $@ || cp build/module-$(KREL)/apkern.ko $@

build/libstartup.so.1: $(wildcard startup/*.[ch]) abi/apkern.h startup/Makefile
	@$(MAKE) --no-print-directory -C startup OUT=$(CURDIR)/build

build/guest.test: FORCE
	CGO_ENABLED=0 $(GO) test -c -o $@ ./test/guest

programs:
	@$(MAKE) --no-print-directory -C test/programs OUT=$(CURDIR)/build/test

build/demo/whereami: test/demo/whereami.c
	@mkdir -p $(@D)
	gcc -O2 -D_GNU_SOURCE -pthread -o $@ $<

build/demo/onexit.so: test/demo/onexit.c
	@mkdir -p $(@D)
	gcc -O2 -D_GNU_SOURCE -shared -fPIC -o $@ $<

include $(wildcard kernels/*.mk image/*.mk packaging/*.mk test/*/*.mk)
