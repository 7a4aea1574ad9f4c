#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
. "$(dirname "$0")/lib.sh"

# It refuses to be root; who was adopted stays it.
chown postgres .
export PATH=/usr/lib/postgresql/15/bin:$PATH PGHOST=$PWD PGDATABASE=postgres
as() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
sql() { as psql -XAtq -c "$1"; }

begin initdb
as initdb -D data --no-sync -A trust --locale C -E UTF8 >initdb.log 2>&1
came $?
begin start
as pg_ctl -D data -l server.log -w -t 120 -o "-c listen_addresses= -k $PWD" start
came $?
begin fill
as pgbench -i -s 1 -q
came $?
for protocol in simple prepared; do
	begin transactions-$protocol
	as pgbench -n -c 4 -j 2 -t 50 -M $protocol >out.txt 2>&1
	status=$?
	cat out.txt
	came $status "$(grep -e 'actually processed' -e 'number of failed' out.txt | tr '\n' ' ')"
done

# What was moved is the same in all tables.
begin balances
came 0 "$(sql 'SELECT count(*), (SELECT sum(abalance) FROM pgbench_accounts) = sum(delta),
	(SELECT sum(bbalance) FROM pgbench_branches) = sum(delta),
	(SELECT sum(tbalance) FROM pgbench_tellers) = sum(delta) FROM pgbench_history')"
begin parallel
came 0 "$(sql 'SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
	SELECT count(*), sum(aid::bigint * aid), max(md5(aid::text)) FROM pgbench_accounts')"
begin vacuum
sql 'VACUUM FULL ANALYZE'
came $? "$(sql 'SELECT count(*) FROM pgbench_accounts')"

begin stop
as pg_ctl -D data -w -t 120 -m fast stop
came $?
begin complaints
came 0 "$(grep -c -e PANIC -e 'terminated by signal' server.log)"
