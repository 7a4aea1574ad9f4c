#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds a Linux from Debian's source, no patch applied, and links it to OUT. What
# it depends on decides where it is kept, so that it is built once for all
# checkouts:
#
#	kernels/build.sh NAME OUT [BASE]	as in: kernels/build.sh uniprocessor build/up-kernel
#
#	NAME				kernels/NAME.config, on top of BASE.config, if that is named,
#					common.config and tinyconfig; later lines prevail
#	OUT/boot/vmlinuz-RELEASE	the kernel
#	OUT/lib/modules/RELEASE		its modules
#	OUT/build			what a module is built against (KDIR)
#	OUT/release			RELEASE
#
# Environment: KERNEL_SOURCE  Debian's archive (default /usr/src/linux-source-6.1.tar.xz)
#              BUILT_CACHE    where kernels are kept (default ~/.cache/apkern/built-kernels)
#              JOBS           how many compilers at a time (default: all CPUs)
set -eu -o pipefail

name=$1 out=$2 base=${3:-}
here=$(cd "$(dirname "$0")" && pwd)
source=${KERNEL_SOURCE:-/usr/src/linux-source-6.1.tar.xz}
cache=${BUILT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/apkern/built-kernels}
jobs=${JOBS:-$(nproc)}

[ -r "$source" ] || { echo "build: $source is missing: apt-get install linux-source-6.1" >&2; exit 1; }

package=$(dpkg-query -W -f='${Version}' linux-source-6.1 2>/dev/null || sha256sum <"$source")
# The fragments without their comments, and of each option the last line.
options=$(cat "$here/common.config" ${base:+"$here/$base.config"} "$here/$name.config" |
	grep -E '^(CONFIG_|# CONFIG_.* is not set)' | tac |
	awk 'match($0, /CONFIG_[A-Za-z0-9_]+/) && !seen[substr($0, RSTART, RLENGTH)]++' | tac)
key=$(cat "$0" - <<<"$options $package $(gcc --version | head -1)" | sha256sum | cut -c1-16)
dir=$cache/$name-$key

mkdir -p "$(dirname "$out")" "$cache"
exec 9>"$cache/$name.lock"
flock 9
if [ ! -e "$dir/release" ]; then
	log=$dir.log
	echo "build: building the kernel \"$name\" in $dir (some minutes, log $log)" >&2
	rm -rf "$dir"
	mkdir -p "$dir/source" "$dir/build" "$dir/boot"
	tar -xf "$source" -C "$dir/source" --strip-components=1
	echo "$options" >"$dir/fragment"
	# Nothing of the builder's machine in the kernel: equal inputs, equal bytes.
	export KBUILD_BUILD_TIMESTAMP='2026-01-01' KBUILD_BUILD_USER=apkern KBUILD_BUILD_HOST=apkern
	kmake() { make -C "$dir/source" O="$dir/build" ARCH=x86_64 -j"$jobs" "$@"; }
	if ! {
		kmake tinyconfig &&
		(cd "$dir/build" && "$dir/source/scripts/kconfig/merge_config.sh" -m .config "$dir/fragment") &&
		kmake olddefconfig &&
		"$here/check-config" "$dir/fragment" "$dir/build/.config" &&
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
echo "build: $out: Linux $(cat "$dir/release")" >&2
