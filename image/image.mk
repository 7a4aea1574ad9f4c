# The disk image.

DEPS_IMAGE := busybox-static fakeroot e2fsprogs grub-common grub-pc-bin grub-efi-amd64-bin kmod xz-utils
DEPS_TEST_IMAGE := ovmf bochs bochs-term bochsbios vgabios qemu-system-x86

IMAGE := build/image/apkern.img
IMAGE_SIZE := 400M
IMAGE_UUID := 8f2a3c01-6b1d-4d0e-9a57-3d0c5e1f0a05
IMAGE_CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/apkern/packages

.PHONY: deps-image image test-image
deps-image:
	@.ci/deps $(DEPS_IMAGE)

image: deps-image up-kernel all programs build/demo/whereami ## write a disk image that boots by BIOS and UEFI
	@mkdir -p build/image
	@kernels/fetch.sh 6.1 amd64 build/kernels/6.1-amd64
	@$(call build_module,build/kernels/6.1-amd64,build/kernels/modules/6.1-amd64)
	CGO_ENABLED=0 $(GO) build -trimpath -o build/image/mkimage ./cmd/mkimage
	build/image/mkimage initramfs -init image/initramfs-init \
		-kernel build/kernels/6.1-amd64/boot/vmlinuz-$$(cat build/kernels/6.1-amd64/release) build/image/initramfs
	EPOCH=$(EPOCH) CACHE=$(IMAGE_CACHE) UP=$(UP) STOCK=build/kernels/6.1-amd64 UP_MODULE=build/up/apkern.ko \
		STOCK_MODULE=build/kernels/modules/6.1-amd64/apkern.ko INITRAMFS=build/image/initramfs \
		PARTUUID=$$(build/image/mkimage root-partition) \
		fakeroot image/root.sh build/image/root.ext4 $(IMAGE_SIZE) $(IMAGE_UUID)
	SOURCE_DATE_EPOCH=$(EPOCH) build/image/mkimage disk -root build/image/root.ext4 -uuid $(IMAGE_UUID) \
		-work build/image $(IMAGE)
	xz -T1 -6 -k -f $(IMAGE)
	@cd build/image && sha256sum apkern.img apkern.img.xz >SHA256SUMS && cat SHA256SUMS && ls -sh apkern.img apkern.img.xz

test-image: ## boot the image by BIOS, UEFI and in Bochs, and run its self-test there
	@.ci/deps $(DEPS_TEST_IMAGE)
	@[ -e $(IMAGE) ] || { echo "there is no $(IMAGE): run make image" >&2; exit 1; }
	$(GO) run ./test/image -image $(IMAGE)
	$(GO) run ./test/image -image $(IMAGE) -entry selftest-stock bios
