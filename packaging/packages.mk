# Debian packages.

DEPS_PACKAGES := gcc libc6-dev debhelper dh-dkms dpkg-dev fakeroot lintian
DEPS_TEST_PACKAGES := mmdebstrap fakeroot e2fsprogs qemu-system-x86

RELEASE = $(shell sed -n 's/^const release = "\(.*\)"/\1/p' cmd/apkern/version.go)
# Debian orders this between the release and the next.
UPGRADE = $(RELEASE)+upgrade1

.PHONY: deps-packages packages test-packages
deps-packages:
	@.ci/deps $(DEPS_PACKAGES)

packages: deps-packages bin/apkern build/kernel.blob build/libstartup.so.1 bench-programs build/man ## write .deb files to build/packages
	@SOURCE_DATE_EPOCH=$(EPOCH) packaging/build.sh build/packages/$(RELEASE)
	@rm -f build/packages/*.deb
	@ln -f build/packages/$(RELEASE)/*.deb build/packages/

build/man: FORCE
	@rm -rf $@ && mkdir -p $@
	@SOURCE_DATE_EPOCH=$(EPOCH) $(GO) run -tags manpages ./cmd/apkern manpages $@

test-packages: packages build/demo/whereami ## install, use, upgrade and remove the packages in a VM with a stock Debian (slow)
	@.ci/deps $(DEPS_TEST_PACKAGES)
	@SOURCE_DATE_EPOCH=$(EPOCH) VERSION=$(UPGRADE) packaging/build.sh build/packages/$(UPGRADE)
	@test/packages/root.sh build/packages/root
	$(GO) run ./test/packages -root build/packages/root -old build/packages/$(RELEASE) \
		-new build/packages/$(UPGRADE) -files build/demo/whereami
