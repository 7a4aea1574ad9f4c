#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Fetches Debian's source of the Open POSIX Test Suite, builds its tests, and lists
# them for `conformance each`: posix.sh OUT. The binary package has no programs.
set -eu -o pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
version=1.5.2

if [ ! -e "$out/built" ]; then
	rm -rf "$out/source" "$out/apt"
	mkdir -p "$out/source" "$out/apt/lists/partial"
	# Debian's archive may be configured without sources.
	echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
		"http://deb.debian.org/debian bookworm main" >"$out/apt/sources.list"
	apt=(apt-get -q -o "Dir::Etc::sourcelist=$out/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
		-o "Dir::State::lists=$out/apt/lists")
	(cd "$out/source" && "${apt[@]}" update && "${apt[@]}" source posixtestsuite) >"$out/log" 2>&1 || {
		cat "$out/log" >&2
		exit 1
	}
	# Some do not compile with this C library; they are run on neither side.
	make -C "$out/source/posixtestsuite-$version" -k build-tests >>"$out/log" 2>&1 || true
	touch "$out/built"
fi

# class NAME: the list that a test is in
class() {
	case $1 in
	*/mq_* | */mqueue*) echo mqueue ;;
	*/sem_* | */semaphore*) echo semaphores ;;
	*/aio_* | */lio_* | */aio*) echo aio ;;
	*/pthread_* | */pthread* | */threads/*) echo threads ;;
	*/sig* | */kill/* | */killpg/* | */raise/*) echo signals ;;
	*/timer* | */clock* | */nanosleep/* | */time* | */*time/* | */sleep/* | */alarm/* | */difftime/*) echo time ;;
	*/m*lock* | */mmap* | */munmap* | */msync* | */shm_* | */mprotect*) echo memory ;;
	*) echo other ;;
	esac
}

# limit NAME: what a test may take if that is more than others, after a tab. 5-3
# sleeps thirty times ten seconds, unless its timer, which is due at once, is so late
# that it interrupts the sleep: that is so on an emulator, natively.
limit() {
	case $1 in
	*/timer_settime/5-3) printf '\t7m' ;;
	esac
}

rm -f "$out"/*.list.new
cd "$out/source/posixtestsuite-$version"
find conformance functional -name '*.test' | sort | while read -r test; do
	name=${test%.test}
	printf '%s\t%s%s\n' "${name#conformance/}" "$PWD/$test" "$(limit "$name")" >>"$out/$(class "$name").list.new"
done
for list in "$out"/*.list.new; do
	mv "$list" "${list%.new}"
done
