# A mixed load for hours, while application CPUs come, go and fail (docs/elastic.md).
#   SOAK    how long, as 2m or 12h

SOAK ?= 1h
DEPS_SOAK := redis-server redis-tools

.PHONY: deps-soak soak
deps-soak:
	@.ci/deps $(DEPS_SOAK)

soak: deps deps-soak all build/guest.test programs ## an hour of mixed load while CPUs come, go and fail; SOAK=12h
	@mkdir -p build/soak
	KERNEL=$(KREL) SOAK=$(SOAK) LONGER=$(SOAK) VMFLAGS='--dir|$(CURDIR)/build/soak' test/run-vm.sh soak
