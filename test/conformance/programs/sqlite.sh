#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
. "$(dirname "$0")/lib.sh"

cat >fill.sql <<'S'
PRAGMA journal_mode = WAL;
CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER, v TEXT);
CREATE INDEX t_k ON t(k);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO t(k, v) SELECT (i * 7919) % 1009, printf('row %d of %x', i, i * 2654435761) FROM n;
BEGIN;
UPDATE t SET v = v || k WHERE k % 3 = 0;
DELETE FROM t WHERE id % 11 = 0;
COMMIT;
SELECT count(*), sum(k), max(v) FROM t;
SELECT k, count(*) FROM t GROUP BY k ORDER BY 2 DESC, 1 LIMIT 20;
SELECT count(*) FROM t a JOIN t b ON a.k = b.k AND a.id < b.id WHERE a.k < 20;
S
output fill sqlite3 a.db <fill.sql
output integrity sqlite3 a.db 'PRAGMA integrity_check'

# Writers at the same time lose nothing.
sqlite3 a.db 'CREATE TABLE c(n INTEGER); INSERT INTO c VALUES(0)'
begin writers
for w in 1 2 3; do
	for _ in $(seq 20); do echo 'UPDATE c SET n = n + 1;'; done | sqlite3 -cmd '.timeout 60000' a.db &
	eval "writer$w=$!"
done
status=0
wait "$writer1" || status=1
wait "$writer2" || status=1
wait "$writer3" || status=1
came $status "$(sqlite3 a.db 'SELECT n FROM c')"
output dump sqlite3 a.db .dump
output vacuum sqlite3 a.db 'VACUUM; SELECT count(*), sum(length(v)) FROM t; PRAGMA integrity_check'
