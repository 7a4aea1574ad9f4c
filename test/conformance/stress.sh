#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Lists the stressors of stress-ng for `conformance each`: stress.sh OUT. One that is
# in several classes is in the first list.
set -eu -o pipefail
mkdir -p "$1"
cd "$1"

# Left out, natively too, and why:
excluded=' '
leave_out() { # WHY STRESSOR...
	shift
	excluded+="$* "
}
leave_out 'takes CPUs on and offline, which the module refuses while it holds them' cpu-online
leave_out 'needs more memory than the machine has, or ends what the kernel picks' bigheap brk oom-pipe stack \
	resources swap mlockmany
leave_out 'stops a machine with one CPU of its own by a thread of real-time priority' softlockup cyclic race-sched
leave_out 'restarts, hangs or reconfigures the machine' reboot watchdog memhotplug smi kvm klog pci
leave_out 'needs hardware, firmware or file systems that the machine lacks' efivar ioport rtc gpu hdd apparmor \
	binderfs quota verity tun physpage
leave_out 'opens and controls every device file, those of the machine itself too' bad-ioctl dev
leave_out 'floods the network' icmp-flood udp-flood
leave_out 'reads every file of /proc or /sys for minutes under emulation' procfs sysfs
leave_out 'makes thousands of processes, minutes under emulation' forkheavy vforkmany

signals=' bad-altstack kill sigabrt sigchld sigfd sigfpe sigio signal signest sigpending sigpipe sigq sigrt sigsegv
sigsuspend sigtrap alarm itimer timer timerfd '
signals=" $(echo $signals) "

# add LIST STRESSOR...
seen=' '
add() {
	local list=$1 name
	shift
	: >"$list.list"
	for name; do
		[[ $seen$excluded == *" $name "* ]] && continue
		seen+="$name "
		printf '%s\tstress-ng --quiet --verify --no-rand-seed --timeout 1s --%s 2\n' "$name" "$name" >>"$list.list"
	done
}

of_class() { stress-ng --class "$1?" | sed 's/.*: //'; }

# shellcheck disable=SC2046,SC2086 # a word a stressor
{
	add signal $signals
	for class in pipe cpu scheduler vm memory os; do
		add "$class" $(of_class "$class")
	done
}
lines=$(wc -l <os.list)
head -n $((lines / 2)) os.list >os-1.list
tail -n +$((lines / 2 + 1)) os.list >os-2.list
rm os.list
