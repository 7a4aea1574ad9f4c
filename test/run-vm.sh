#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs the guest tests, each group in a boot of its own; fails when one fails.
#
#	test/run-vm.sh [BOOT...]	default: all that suit the kernel; names are those in the list below
#
# Environment: APKERN  the command (default bin/apkern)
#              GUEST   the compiled tests (default build/guest.test)
#              KERNEL  Linux to boot (default: the one the module is built for)
#              MODULE  the module for it (default build/apkern.ko)
#              KIND    smp (default) or up: whether that Linux is built with SMP
#              CPUS    CPUs of the machine (default 4)
#              FUZZ_ROUNDS, FUZZ_SEED  rounds and seed of the tests in boot fuzz
#              SOAK, SOAK_SEED  how long boot soak makes rounds, as 20m or 12h, and their seed
#              BUSY_SECONDS, ISOLATED_SECONDS, FAULTS  how long, or how often, TestBusy, TestTakenIsolated
#                      and TestElasticReset do what they do
#              KNOBS   parameters of the module, as "answer=none poll_us=0", for all tests that do
#                      not set them themselves
#              LONGER  more time for each boot, as 1h
#              VMFLAGS more flags of apkern vm run, separated by |
#              SLOWER  how many times slower than others that Linux is (default 1)
set -u
cd "$(dirname "$0")/.." || exit 1
apkern=${APKERN:-bin/apkern}
guest=${GUEST:-build/guest.test}
slower=${SLOWER:-1}

# A test that is in no boot, or in one that does not exist, would never run:
# below the list is compared with the tests that the binary has. The second
# column says for which kernels a boot is: smp, up (without SMP), any; or that it
# is run only when it is named: those ask Linux to reclaim, merge and compact within
# a time that it does not keep beside other virtual machines.
boots='
programs   any  12m  --                                  TestDifferential|TestProcesses
away       any  12m  --                                  TestAwayProofFailsNatively|TestParallel|TestCrowd|TestRunStatuses|TestSession|TestCPUGroup|TestCPUTime
policy     any  12m  --                                  TestPolicy|TestPolicyComputing|TestPolicyPhases|TestPolicyChildren|TestPolicySteady
sched      any  12m  --                                  TestShares|TestNice|TestPinnedShares|TestSleeper|TestNoTimerAlone|TestTurns
cpus       any  12m  --                                  TestAffinity|TestCPUCounts|TestOpenMP|TestCpuset|TestTopology|TestBarrier
signals    any  12m  --                                  TestSignals|TestFPU|TestSegments|TestRseq
coherence  any  12m  --                                  TestCoherence|TestTopEntry|TestFaultAround|TestFileFaults
5-level    any  12m  --whole                             TestFiveLevels|TestFPU|TestParallel
debuggers  any  12m  --                                  TestStraceSequence|TestStraceAway|TestStraceAttach|TestGDBSession|TestGDBAttach
others     any  12m  --                                  TestLimitSetByOthers|TestTimerSetBySibling|TestFaultsAreNoShelter|TestFilterSetBySibling|TestPerfEvent|TestPerfStat|TestPolicySetByOthers|TestMovedToQuota|TestFreezers|TestMemoryLimit|TestGroupUsage
semantics  any  12m  --                                  TestFootprint|TestClocks|TestShellTime|TestTracer|TestCoreDump|TestOddCode|TestNamespaces
answers    any  12m  --                                  TestAnswers|TestYield|TestFutex|TestAnswersTraced
interface  any  8m   --                                  TestRequests|TestMapping|TestUnprivileged|TestInjectRefused|TestModuleInformation|TestOptOut|TestNoModule
fuzz       any  15m  --                                  TestFuzzDevice|TestHostileCode|TestHostileRegisters
security   any  12m  --                                  TestNothingElseMapped|TestNothingLeftOnStacks|TestSlotsAreCleared|TestUserShare|TestPermissions
siblings   smp  8m   --no-module|--threads=2|--cpu=max,vendor=GenuineIntel TestSiblings
smt-off    smp  8m   --no-module|--threads=2|--cpu=max,vendor=GenuineIntel|--append=nosmt TestSMTOff
far        any  12m  --cpu=max,-smap                     TestHostileCode
parameters any  8m   --no-module                         TestParameters|TestSecondLoad
lifecycle  any  12m  --no-module                         TestLoadUnload|TestUnloadBusy
kill       any  12m  --                                  TestKill
crash      any  12m  --no-module                         TestInjectedCrash
hang       any  8m   --no-module                         TestInjectedHang|TestInjectedStall
bench      any  20m  --                                  TestBench|TestBenchRefusesStrays
locks      smp  2m   --no-module|--drop=noreplace-smp    TestLockPrefixes
taken      smp  8m   --no-module|--home=0-3              TestTaken|TestTakenIsolated
homes      smp  12m  --home=0-1                          TestSeveralHomes
elastic    any  20m  --                                  TestElasticLoad|TestElasticCompiler|TestElasticPrograms|TestElasticLast|TestElasticBound|TestElasticRefused|TestElasticNone|TestElasticTogether|TestElasticReset|TestElasticSuspend
elastic-homes smp 12m --home=0-1                         TestElasticHomes|TestElasticRefused|TestElasticLast|TestInjectedCrashRecalled
reboot     any  8m   --no-module|--reboot|--append=panic=0 TestReboot
kexec      smp  8m   --no-module|--reboot|--append=panic=0 TestKexec
dump       smp  8m   --no-module|--reboot|--append=panic=0|--append=crashkernel=384M TestDump
soak       named 20m --no-module|--load|loop             TestSoak
busy       named 20m --                                  TestBusy
busy-homes named 20m --home=0-1                          TestBusy
memory     named 12m --load|loop                         TestMemory
nodes      named 8m  --append|numa=fake=2                TestNodes
nolock     up   8m   --                                  TestNoLock
'

# boot NAME KIND LIMIT FLAGS TESTS: FLAGS are separated by |; -- stands for none.
boot() {
	flags=$(echo "$4" | tr '|' ' ') knobs=
	[ "$flags" = -- ] && flags=
	case $flags in
	*--no-module*) ;;
	*) flags="$flags${MODULE:+ --module $MODULE}" knobs=${KNOBS:-} ;;
	esac
	echo "=== $1: $5"
	# shellcheck disable=SC2086 # the flags are several words
	"$apkern" vm run --cpus "${CPUS:-4}" --timeout "${LONGER:-}$((${3%m} * slower))m" \
		--boot "$((3 * slower))m" ${KERNEL:+--kernel "$KERNEL"} $flags \
		${knobs:+--module-params "$knobs"} ${KNOBS:+--env "APKERN_KNOBS=$KNOBS"} \
		$(echo "${VMFLAGS:-}" | tr '|' ' ') ${MODULE:+--env "APKERN_MODULE=$MODULE"} --env APKERN_GUEST=1 \
		--env FUZZ_ROUNDS --env FUZZ_SEED --env SOAK --env SOAK_SEED \
		--env BUSY_SECONDS --env ISOLATED_SECONDS --env FAULTS --env KERNEL \
		--env "APKERN_SLOWER=$slower" \
		-- "$guest" -test.v -test.failfast=false -test.run "^($5)\$" </dev/null
}

# every_test_is_listed: compares the list with the compiled tests.
every_test_is_listed() {
	listed=$(echo "$boots" | awk 'NF { print $5 }' | tr '|' '\n' | sort -u)
	existing=$(APKERN_GUEST=1 "$guest" -test.list . | sort -u)
	[ "$listed" = "$existing" ] && return
	echo "run-vm.sh: the list of boots and the tests differ:" >&2
	printf '%s\n%s\n' "$listed" "$existing" | sort | uniq -u >&2
	return 1
}

every_test_is_listed || exit 1
failed=
interrupted=
trap 'interrupted=yes' INT # apkern passes it on: the test ends, and says how
for name in ${*:-$(echo "$boots" | awk -v k="${KIND:-smp}" '$2 == k || $2 == "any" { print $1 }')}; do
	line=$(echo "$boots" | awk -v n="$name" '$1 == n')
	if [ -z "$line" ]; then
		echo "run-vm.sh: there is no boot \"$name\"; there are:" $(echo "$boots" | awk 'NF { print $1 }') >&2
		exit 1
	fi
	# shellcheck disable=SC2086 # the line's fields
	boot $line || failed="$failed $name"
	[ -z "$interrupted" ] || break
done
if [ -n "$failed" ]; then
	echo "run-vm.sh: failed:$failed" >&2
	exit 1
fi
[ -z "$interrupted" ] || exit 130
echo "run-vm.sh: all boots passed"
