#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes a small Debian 12 with systemd, a kernel, its headers and what dkms
# needs, as one ext4 file system, and links its cached copy to OUT:
#
#	test/packages/root.sh OUT
#
#	OUT/disk.ext4	the file system
#	OUT/vmlinuz, OUT/initrd	its kernel
#
# Environment: ROOT_CACHE  where it is kept (default ~/.cache/apkern/roots)
set -eu -o pipefail

out=$1
top=$(cd "$(dirname "$0")" && pwd)
cache=${ROOT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/apkern/roots}
size=4G
packages=(systemd-sysv udev kmod procps linux-image-amd64 linux-headers-amd64 initramfs-tools dkms)

# Another kernel in Debian, another list or another boot makes another root.
key=$({
	cat "$0" "$top/boot.service"
	apt-cache show --no-all-versions linux-image-amd64 dkms | grep -E '^(Package|Version):'
} | sha256sum | cut -c1-24)
dir=$cache/$key

mkdir -p "$cache" "$(dirname "$out")"
exec 9>"$cache/lock"
flock 9
if [ ! -e "$dir/complete" ]; then
	echo "root: making a Debian 12 in $dir" >&2
	work=$(mktemp -d "$cache/new.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	mmdebstrap --quiet --variant=minbase --skip=output/dev \
		--include="$(IFS=,; echo "${packages[*]}")" \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook='echo debian >"$1/etc/hostname"' \
		--customize-hook='echo "/dev/vda / ext4 defaults 0 1" >"$1/etc/fstab"' \
		--customize-hook='mkdir -p "$1/packages" "$1/etc/systemd/system/multi-user.target.wants"' \
		--customize-hook="copy-in '$top/boot.service' /etc/systemd/system" \
		--customize-hook='ln -s ../boot.service "$1/etc/systemd/system/multi-user.target.wants/"' \
		bookworm "$work/root.tar" \
		'deb http://deb.debian.org/debian bookworm main' \
		'deb http://deb.debian.org/debian bookworm-updates main' \
		'deb http://deb.debian.org/debian-security bookworm-security main'
	# Owners survive without privilege: tar and mke2fs see them under fakeroot.
	fakeroot sh -eu -c '
		mkdir -p "$1/root/dev"
		tar -xf "$1/root.tar" -C "$1/root"
		mke2fs -q -t ext4 -d "$1/root" "$1/disk.ext4" "$2"
	' sh "$work" "$size"
	cp "$(ls -d "$work"/root/boot/vmlinuz-*)" "$work/vmlinuz"
	cp "$(ls -d "$work"/root/boot/initrd.img-*)" "$work/initrd"
	rm -rf "$work/root" "$work/root.tar" "$dir"
	touch "$work/complete"
	mv "$work" "$dir"
	trap - EXIT
fi
ln -sfn "$dir" "$out"
