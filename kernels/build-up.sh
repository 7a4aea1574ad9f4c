#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds a Linux without SMP from Debian's source, no patch applied, and links
# it to OUT. What it depends on decides where it is kept, so that it is built
# once for all checkouts:
#
#	kernels/build-up.sh OUT
#
#	OUT/boot/vmlinuz-RELEASE	the kernel
#	OUT/lib/modules/RELEASE		its modules
#	OUT/build			what a module is built against (KDIR)
#	OUT/release			RELEASE
#
# Environment: UP_SOURCE  Debian's archive (default /usr/src/linux-source-6.1.tar.xz)
#              UP_CACHE   where kernels are kept (default ~/.cache/apkern/up-kernel)
#              JOBS       how many compilers at a time (default: all CPUs)
set -eu -o pipefail

out=$1
here=$(cd "$(dirname "$0")" && pwd)
source=${UP_SOURCE:-/usr/src/linux-source-6.1.tar.xz}
cache=${UP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/apkern/up-kernel}
jobs=${JOBS:-$(nproc)}

[ -r "$source" ] || { echo "build-up: $source is missing: apt-get install linux-source-6.1" >&2; exit 1; }

package=$(dpkg-query -W -f='${Version}' linux-source-6.1 2>/dev/null || sha256sum <"$source")
key=$(cat "$here/uniprocessor.config" "$0" - <<<"$package $(gcc --version | head -1)" | sha256sum | cut -c1-16)
dir=$cache/$key

mkdir -p "$(dirname "$out")" "$cache"
exec 9>"$cache/lock"
flock 9
if [ ! -e "$dir/release" ]; then
	log=$cache/$key.log
	echo "build-up: building a uniprocessor kernel in $dir (some minutes, log $log)" >&2
	rm -rf "$dir"
	mkdir -p "$dir/source" "$dir/build" "$dir/boot"
	tar -xf "$source" -C "$dir/source" --strip-components=1
	# Nothing of the builder's machine in the kernel: equal inputs, equal bytes.
	export KBUILD_BUILD_TIMESTAMP='2026-01-01' KBUILD_BUILD_USER=apkern KBUILD_BUILD_HOST=apkern
	kmake() { make -C "$dir/source" O="$dir/build" ARCH=x86_64 -j"$jobs" "$@"; }
	if ! {
		kmake tinyconfig &&
		(cd "$dir/build" && "$dir/source/scripts/kconfig/merge_config.sh" -m .config "$here/uniprocessor.config") &&
		kmake olddefconfig &&
		"$here/check-config" "$here/uniprocessor.config" "$dir/build/.config" &&
		kmake bzImage modules &&
		kmake INSTALL_MOD_PATH="$dir" INSTALL_MOD_STRIP=1 modules_install
	} >"$log" 2>&1; then
		tail -20 "$log" >&2
		exit 1
	fi
	release=$(cat "$dir/build/include/config/kernel.release")
	cp "$dir/build/arch/x86/boot/bzImage" "$dir/boot/vmlinuz-$release"
	rm -f "$dir/lib/modules/$release/build" "$dir/lib/modules/$release/source"
	# Objects are not needed to build modules against the tree.
	find "$dir/build" -name '*.o' -not -path '*/scripts/*' -not -path '*/tools/*' -delete
	find "$dir/build" -name '*.a' -not -path '*/tools/*' -delete
	echo "$release" >"$dir/release.new"
	mv "$dir/release.new" "$dir/release"
fi
ln -sfn "$dir" "$out"
echo "build-up: $out: Linux $(cat "$dir/release")" >&2
