# Debian packages.

DEPS_PACKAGES := debhelper dh-dkms dpkg-dev fakeroot lintian
DEPS_TEST_PACKAGES := mmdebstrap fakeroot e2fsprogs qemu-system-x86

RELEASE = $(shell sed -n 's/^const release = "\(.*\)"/\1/p' cmd/apkern/version.go)
# Debian orders this between the release and the next.
UPGRADE = $(RELEASE)+upgrade1

.PHONY: deps-packages packages test-packages
deps-packages:
	@.ci/deps $(DEPS_PACKAGES)

packages: deps-packages deps bin/apkern build/kernel.blob build/libstartup.so.1 build/man ## write .deb files to build/packages
	@SOURCE_DATE_EPOCH=$(EPOCH) packaging/build.sh build/packages/$(RELEASE)
	@ln -f build/packages/$(RELEASE)/*.deb build/packages/

build/man: FORCE
	@rm -rf $@ && mkdir -p $@
	@SOURCE_DATE_EPOCH=$(EPOCH) $(GO) run -tags manpages ./cmd/apkern manpages $@
