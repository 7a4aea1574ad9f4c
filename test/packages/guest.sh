#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs in the virtual machine, as the only thing there is: installs, uses,
# upgrades and removes the packages. Started anew after the reboot. The first
# step that fails ends it; the last line says that none did.
#
# The machine has CPUs 0-3, of which Linux was booted with 0-2.
set -u
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin HOME=/root
state=/var/tmp/apkern-test
online=/sys/devices/system/cpu/online
mkdir -p $state

fail() {
	echo "FAILED: $*"
	dmesg | grep -i apkern | tail -n 20
	systemctl --no-pager --lines=20 status apkern.service
	exit 1
}

# Shows a command, and what it printed, and expects it to succeed.
run() {
	echo "# $*"
	"$@" </dev/null || fail "exit status $?: $*"
}

# Expects it to fail, as `run` expects it to succeed.
refuse() {
	echo "# $*"
	"$@" </dev/null && fail "succeeded: $*"
	echo "(refused)"
}

# check WHAT GOT WANTED
check() {
	[ "$2" = "$3" ] || fail "$1: $2, not $3"
	echo "$1: $2"
}

section() { printf '\n== %s\n' "$1"; }

service() { systemctl is-active apkern.service; }

package_version() { dpkg-query -W -f '${Version}' "$1"; }

# Everything but what changes by itself: logs, caches, and what apt, dpkg and
# systemd remember.
files() {
	find / -xdev \( -path /var/log -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /tmp \
		-o -path /var/tmp -o -path /packages -o -path /root \) -prune \
		-o -path '/var/lib/systemd/*' ! -path '*deb-systemd*' -o -print | sort
}

nothing_taken() {
	[ -d /sys/module/apkern ] && fail "the module is still there"
	[ -e /dev/apkern ] && fail "/dev/apkern is still there"
	check "CPUs of Linux" "$(cat $online)" 0-2
}

# The program prints the APIC ids, here equal to the numbers, of the CPUs it was
# on; $cpu is one that Linux does not run.
away() {
	echo "# $*"
	where=$("$@" /packages/whereami 1) || fail "exit status $?: $*"
	echo "$where"
	case $where in
	*" $cpu"*) ;;
	*) fail "it was not on CPU $cpu" ;;
	esac
}

as() {
	group=$1
	shift
	setpriv --reuid=nobody --regid=nogroup --groups="$group" "$@"
}

install_packages() {
	section "install"
	check "CPUs of Linux" "$(cat $online)" 0-2
	files >$state/before
	run apt-get -qq -o Dpkg::Use-Pty=0 install /packages/old/*.deb
	package_version apkern >$state/old
	check "dkms" "$(dkms status)" "apkern/$(cat $state/old), $(uname -r), x86_64: installed"
	check "service, not configured" "$(service)" inactive
	check "service at boot" "$(systemctl is-enabled apkern.service)" enabled
	check "units that failed" "$(systemctl --failed --no-legend)" ""
	run systemctl start apkern.service
	nothing_taken
}

use_by_hand() {
	section "use, CPU 3 that Linux does not run"
	cpu=3
	run modprobe apkern
	run udevadm settle
	check "the device" "$(stat -c '%a %U:%G' /dev/apkern)" "660 root:apkern"
	run apkern --version
	run apkern run -- ls /
	run env LD_PRELOAD=/lib/libstartup.so.1 ls /
	check "output away" "$(apkern run -- ls -l /usr)" "$(ls -l /usr)"
	check "output with the library" "$(LD_PRELOAD=/lib/libstartup.so.1 ls -l /usr 2>&1)" "$(ls -l /usr)"
	away apkern run --
	away env LD_PRELOAD=/lib/libstartup.so.1
	away as apkern apkern run --
	refuse as nogroup apkern run -- true
	run apkern status
	run modprobe -r apkern
	run udevadm settle
	nothing_taken
}

use_service() {
	section "the service, CPU 2 that Linux runs"
	cpu=2
	run sed -i 's/^CPUS=.*/CPUS=2/' /etc/default/apkern
	run systemctl start apkern.service
	check "service" "$(service)" active
	check "CPUs of Linux" "$(cat $online)" 0-1
	away apkern run --
	run systemctl stop apkern.service
	check "service" "$(service)" inactive
	nothing_taken

	section "a service with a CPU that does not exist"
	run sed -i 's/^CPUS=.*/CPUS=2,77/' /etc/default/apkern
	refuse systemctl start apkern.service
	check "service" "$(service)" failed
	nothing_taken
	run systemctl reset-failed apkern.service
	run sed -i 's/^CPUS=.*/CPUS=2-3/' /etc/default/apkern
}

after_reboot() {
	section "after a reboot"
	check "service" "$(service)" active
	check "CPUs of Linux" "$(cat $online)" 0-1
	run apkern status
}

upgrade() {
	section "upgrade while a program is adopted"
	build=$(cat /sys/kernel/apkern/build_id)
	apkern run -- sleep 3600 &
	program=$!
	run apt-get -qq -o Dpkg::Use-Pty=0 install /packages/new/*.deb
	new=$(package_version apkern)
	[ "$new" != "$(cat $state/old)" ] || fail "the version is still $new"
	check "dkms" "$(dkms status)" "apkern/$new, $(uname -r), x86_64: installed"
	check "CPUS" "$(grep ^CPUS= /etc/default/apkern)" CPUS=2-3
	check "service" "$(service)" active
	check "build of the module" "$(cat /sys/kernel/apkern/build_id)" "$build"
	run kill $program
	wait $program
	run systemctl restart apkern.service
	cpu=3
	away apkern run -c 3 --
}

remove() {
	section "remove the command while a program is adopted, and install it again"
	apkern run -- sleep 3600 &
	program=$!
	run apt-get -qq -o Dpkg::Use-Pty=0 remove apkern
	run kill -0 $program
	check "module" "$(ls -d /sys/module/apkern)" /sys/module/apkern
	run kill $program
	wait $program
	run modprobe -r apkern
	nothing_taken
	run apt-get -qq -o Dpkg::Use-Pty=0 install /packages/new/apkern_*.deb
	check "service" "$(service)" active

	section "remove the module, then the command"
	run apt-get -qq -o Dpkg::Use-Pty=0 remove apkern-dkms
	check "service" "$(service)" inactive
	nothing_taken
	run apt-get -qq -o Dpkg::Use-Pty=0 remove apkern
	check "dkms" "$(dkms status)" ""
	refuse test -e /usr/bin/apkern -o -e /lib/libstartup.so.1
	refuse modprobe --quiet apkern
	check "configuration" "$(grep ^CPUS= /etc/default/apkern)" CPUS=2-3

	section "purge"
	run apt-get -qq -o Dpkg::Use-Pty=0 purge apkern apkern-dkms
	check "units that failed" "$(systemctl --failed --no-legend)" ""
	files >$state/after
	check "files left or missing" "$(diff $state/before $state/after | grep '^[<>]')" ""
	# A group stays, as Debian wants it: a file may still belong to it.
	run getent group apkern
	check "warnings of the kernel" "$(dmesg | grep -e BUG: -e Oops -e WARNING:)" ""
}

if [ ! -e $state/booted ]; then
	install_packages
	use_by_hand
	use_service
	touch $state/booted
	section "reboot"
	systemctl reboot --no-block 2>/dev/null
	sleep infinity
fi
after_reboot
upgrade
remove
echo "== all steps passed"
