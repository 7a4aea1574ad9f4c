#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs the guest tests, each group in a boot of its own; fails when one fails.
#
#	test/run-vm.sh [BOOT...]	default: all; names are those in the list below
#
# Environment: APKERN  the command (default bin/apkern)
#              GUEST   the compiled tests (default build/guest.test)
#              KERNEL  Linux to boot (default: the one the module is built for)
set -u
cd "$(dirname "$0")/.." || exit 1
apkern=${APKERN:-bin/apkern}
guest=${GUEST:-build/guest.test}

# A test that is in no boot, or in one that does not exist, would never run:
# below the list is compared with the tests that the binary has.
boots='
programs   12m  --                                  TestDifferential|TestProcesses
away       12m  --                                  TestAwayProofFailsNatively|TestParallel|TestCrowd|TestRunStatuses|TestPolicy|TestPolicyComputing|TestCPUTime
signals    12m  --                                  TestSignals|TestFPU|TestSegments|TestRseq
coherence  12m  --                                  TestCoherence|TestTopEntry
5-level    12m  --whole                             TestFiveLevels|TestFPU|TestParallel
debuggers  12m  --                                  TestStraceSequence|TestStraceAway|TestStraceAttach|TestGDBSession|TestGDBAttach
interface  8m   --                                  TestRequests|TestMapping|TestUnprivileged|TestInjectRefused|TestModuleInformation|TestOptOut|TestNoModule
parameters 8m   --no-module                         TestParameters|TestSecondLoad
lifecycle  12m  --no-module                         TestLoadUnload|TestUnloadBusy
kill       12m  --                                  TestKill
crash      12m  --no-module                         TestInjectedCrash
hang       8m   --no-module                         TestInjectedHang
locks      2m   --no-module|--drop=noreplace-smp    TestLockPrefixes
taken      8m   --no-module|--home=0-3              TestTaken
homes      12m  --home=0-1                          TestSeveralHomes
'

# boot NAME LIMIT FLAGS TESTS: FLAGS are separated by |; -- stands for none.
boot() {
	flags=$(echo "$3" | tr '|' ' ')
	[ "$flags" = -- ] && flags=
	echo "=== $1: $4"
	# shellcheck disable=SC2086 # the flags are several words
	"$apkern" vm run --cpus 4 --timeout "$2" ${KERNEL:+--kernel "$KERNEL"} $flags \
		${APKERN_MODULE:+--env "APKERN_MODULE=$APKERN_MODULE"} --env APKERN_GUEST=1 \
		-- "$guest" -test.v -test.failfast=false -test.run "^($4)\$" </dev/null
}

# every_test_is_listed: compares the list with the compiled tests.
every_test_is_listed() {
	listed=$(echo "$boots" | awk 'NF { print $4 }' | tr '|' '\n' | sort -u)
	existing=$(APKERN_GUEST=1 "$guest" -test.list . | sort -u)
	[ "$listed" = "$existing" ] && return
	echo "run-vm.sh: the list of boots and the tests differ:" >&2
	printf '%s\n%s\n' "$listed" "$existing" | sort | uniq -u >&2
	return 1
}

every_test_is_listed || exit 1
failed=
for name in ${*:-$(echo "$boots" | awk 'NF { print $1 }')}; do
	line=$(echo "$boots" | awk -v n="$name" '$1 == n')
	if [ -z "$line" ]; then
		echo "run-vm.sh: there is no boot \"$name\"; there are:" $(echo "$boots" | awk 'NF { print $1 }') >&2
		exit 1
	fi
	# shellcheck disable=SC2086 # the line's fields
	boot $line || failed="$failed $name"
done
if [ -n "$failed" ]; then
	echo "run-vm.sh: failed:$failed" >&2
	exit 1
fi
echo "run-vm.sh: all boots passed"
