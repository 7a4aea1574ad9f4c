# The original's evaluation, on an emulator in which an instruction takes a tick: docs/evaluation.md.
#   CPUS  numbers of CPUs (default "1 2 4 8")
#   J     machines at a time (default 1), each of which keeps one core busy
#   EVALUATION  other flags, as -only LU -systems apkern

CPUS ?= 1 2 4 8
J ?= 1
EVALUATION ?=
SMP_KERNEL := build/smp-kernel
DEPS_EVALUATION := bochs bochs-term bochsbios vgabios e2fsprogs grub-common grub-pc-bin grub-efi-amd64-bin findutils gzip gcc

.PHONY: smp-kernel evaluation evaluation-build
smp-kernel: deps-built ## build the same Linux with SMP, to compare with (ten minutes, kept)
	@kernels/build.sh smp $(SMP_KERNEL) uniprocessor

evaluation-build: up-kernel smp-kernel build/libstartup.so.1
	@.ci/deps $(DEPS_EVALUATION)
	@$(MAKE) --no-print-directory -C test/evaluation/programs OUT=$(CURDIR)/build/evaluation/programs
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags='-s -w' -o build/evaluation/guest ./test/evaluation/guest
	$(GO) build -o build/evaluation/evaluation ./test/evaluation

evaluation: evaluation-build ## repeat the original's evaluation in an emulator, an instruction a tick (an hour); CPUS="1 2 3", J=2
	build/evaluation/evaluation -cpus "$(CPUS)" -j $(J) $(EVALUATION)
