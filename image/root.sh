#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes the image's root file system, one ext4 file, out of Debian packages and
# of what was built here. Under fakeroot, so that it needs no privilege:
#
#	fakeroot image/root.sh OUT.ext4 SIZE UUID
#
# Environment: EPOCH     seconds: the time of every file and of the file system
#              CACHE     where downloaded packages are kept
#              UP        the uniprocessor kernel, as kernels/build.sh leaves it
#              STOCK     the stock kernel, as kernels/fetch.sh leaves it
#              UP_MODULE, STOCK_MODULE  apkern.ko for each
#              INITRAMFS the initramfs of the stock kernel
#              PARTUUID  of the partition it will be in
set -eu -o pipefail

out=$1 size=$2 uuid=$3
top=$(cd "$(dirname "$0")/.." && pwd)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
umask 022
out=$(realpath -m "$out") CACHE=$(realpath -m "$CACHE")
cd "$top"

# The closure of the list over dependencies, as apt resolves it for an empty system.
closure() {
	# shellcheck disable=SC2046 # one word a package
	apt-get -qq --simulate -o Dir::State::status=/dev/null -o APT::Install-Recommends=false \
		install $(grep -v '^#' "$top/image/packages") |
		sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p' | LC_ALL=C sort
}

# A package's file name keeps its version, with : as %3a.
fetch() (
	mkdir -p "$CACHE"
	cd "$CACHE"
	for package; do
		name=${package%%=*} version=${package#*=}
		compgen -G "${name}_${version//:/%3a}_*.deb" >/dev/null || apt-get -qq download "$package" 2>/dev/null
		ls "${name}_${version//:/%3a}"_*.deb
	done
)

install_packages() {
	# Debian 12 has one /usr; packages may still name the old directories.
	mkdir -p "$stage/usr/bin" "$stage/usr/sbin" "$stage/usr/lib" "$stage/usr/lib64"
	for dir in bin sbin lib lib64; do
		ln -s "usr/$dir" "$stage/$dir"
	done
	closure >"$stage/.packages"
	# shellcheck disable=SC2046
	for deb in $(fetch $(cat "$stage/.packages")); do
		dpkg-deb --fsys-tarfile "$CACHE/$deb" | tar -x --keep-directory-symlink -C "$stage" \
			--exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/info/*' \
			--exclude='./usr/share/locale/*' --exclude='./usr/share/lintian/*'
	done
	mkdir -p "$stage/usr/share/apkern"
	mv "$stage/.packages" "$stage/usr/share/apkern/packages"
}

# What the packages' installation scripts would have done, as far as it matters.
configure() {
	cp "$stage/usr/share/base-passwd/passwd.master" "$stage/etc/passwd"
	cp "$stage/usr/share/base-passwd/group.master" "$stage/etc/group"
	sed -i 's,^root:\*:,root::,' "$stage/etc/passwd"
	echo 'apkern:x:200:' >>"$stage/etc/group"
	ln -sf gawk "$stage/usr/bin/awk"
	ln -sf bash "$stage/usr/bin/sh"
	ln -sf /proc/mounts "$stage/etc/mtab"
	ln -sf ../bin/busybox "$stage/usr/sbin/init"
	for applet in poweroff reboot halt getty vi ping ifconfig; do
		[ -e "$stage/usr/bin/$applet" ] || ln -sf busybox "$stage/usr/bin/$applet"
	done
	mkdir -p "$stage"/{dev,proc,sys,run,tmp,root,boot/grub,mnt,var/lib/redis}
	chmod 1777 "$stage/tmp"
	chmod 700 "$stage/root"
}

# kernel DIR MODULE NAME
kernel() {
	release=$(cat "$1/release")
	cp "$1/boot/vmlinuz-$release" "$stage/boot/vmlinuz-$3"
	mkdir -p "$stage/usr/lib/modules/$release"
	# Of the stock kernel's drivers, those in the initramfs are enough here.
	cp "$1/lib/modules/$release"/modules.{builtin,builtin.modinfo,order} "$stage/usr/lib/modules/$release/"
	install -D -m 644 "$2" "$stage/usr/lib/modules/$release/extra/apkern.ko"
	/sbin/depmod -b "$stage/usr" "$release"
}

install_ours() {
	kernel "$UP" "$UP_MODULE" up
	kernel "$STOCK" "$STOCK_MODULE" stock
	cp "$INITRAMFS" "$stage/boot/initramfs-stock"
	install -m 755 "$top/bin/apkern" "$stage/usr/bin/apkern"
	install -m 644 "$top/build/libstartup.so.1" "$stage/usr/lib/libstartup.so.1"
	install -m 755 "$top/build/test/spin" "$stage/usr/bin/spin"
	install -m 755 "$top/build/test/parallel" "$stage/usr/bin/parallel"
	install -m 755 "$top/build/demo/whereami" "$stage/usr/bin/whereami"
	cp -R --preserve=mode --no-preserve=ownership "$top/image/files/." "$stage/"
	sed -i "s/@UUID@/$uuid/; s/@PARTUUID@/$PARTUUID/" "$stage/boot/grub/grub.cfg"
	grub-editenv "$stage/boot/grub/grubenv" create
	mkdir -p "$stage/boot/grub/i386-pc" "$stage/boot/grub/x86_64-efi"
}

# Equal inputs, equal bytes: mke2fs takes names in order, and times and modes
# from the files. Only the times of last change cannot be set there.
make_filesystem() {
	find "$stage" -exec touch --no-dereference --date="@$EPOCH" {} +
	rm -f "$out"
	E2FSPROGS_FAKE_TIME=$EPOCH mke2fs -q -t ext4 -L apkern -U "$uuid" -N "$inodes" -m 1 \
		-E "hash_seed=$uuid,lazy_itable_init=0,lazy_journal_init=0" -d "$stage" "$out" "$size"
	seq 1 "$inodes" | sed "s/.*/sif <&> ctime @$EPOCH/" >"$out.debugfs"
	E2FSPROGS_FAKE_TIME=$EPOCH debugfs -w -f "$out.debugfs" "$out" >/dev/null 2>&1
	rm "$out.debugfs"
	E2FSPROGS_FAKE_TIME=$EPOCH e2fsck -fn "$out" >/dev/null || { echo "root.sh: e2fsck does not accept $out" >&2; exit 1; }
}

inodes=16384
install_packages
configure
install_ours
make_filesystem
