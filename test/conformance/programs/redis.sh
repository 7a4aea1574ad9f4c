#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
. "$(dirname "$0")/lib.sh"

redis-server --port 0 --unixsocket $PWD/s --save '' --io-threads 3 --io-threads-do-reads yes --dir "$PWD" >server.log &
server=$!
cli() { redis-cli -s s "$@"; }
begin start
await cli ping
came $?

# 2000 requests of 20 clients, without an error.
for operation in set get incr lpush rpop sadd hset zadd mset; do
	begin $operation
	redis-benchmark -s s -c 20 -n 2000 -q --threads 2 -P 4 -t $operation >out.txt 2>&1
	status=$?
	tr '\r' '\n' <out.txt | tail -n 1
	came $status "$(grep -ci error out.txt) errors"
done

# Every one of the requests was done, once.
begin counter
came 0 "$(cli get counter:__rand_int__)"
begin list
came 0 "$(cli llen mylist)"

# The child of a fork writes the file while the server goes on.
for i in $(seq 300); do echo "set key$i value$i"; done | cli >/dev/null
begin save
cli bgsave
redis-benchmark -s s -c 20 -n 2000 -q -t incr >/dev/null
await sh -c 'redis-cli -s s info persistence | grep rdb_bgsave_in_progress:0'
came $? "$(cli info persistence | grep rdb_last_bgsave_status | tr -d '\r')"
begin reload
cli debug reload
came $? "$(cli dbsize) $(cli get key299)"

begin stop
cli shutdown nosave
wait $server
came $?
