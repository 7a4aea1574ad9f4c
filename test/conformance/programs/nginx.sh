#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
. "$(dirname "$0")/lib.sh"

mkdir html logs
seq 20000 >html/numbers
head -c 300000 "$(command -v python3)" >html/binary
cat >nginx.conf <<C
daemon off;
user root;
worker_processes 3;
pid $PWD/pid;
error_log $PWD/logs/error;
events { worker_connections 64; }
http {
	access_log $PWD/logs/access;
	client_body_temp_path $PWD/body;
	proxy_temp_path $PWD/proxy;
	fastcgi_temp_path $PWD/fastcgi;
	uwsgi_temp_path $PWD/uwsgi;
	scgi_temp_path $PWD/scgi;
	gzip on;
	gzip_types application/octet-stream;
	server { listen 127.0.0.1:8080; root $PWD/html; default_type application/octet-stream; }
}
C
get() {
	python3 -c 'import sys, urllib.request as u
sys.stdout.buffer.write(u.urlopen("http://127.0.0.1:8080/" + sys.argv[1]).read())' "$1"
}
nginx -p "$PWD" -e logs/error -c "$PWD/nginx.conf" &
server=$!
begin start
await get numbers
came $?
output numbers get numbers
output binary get binary

# load NAME HEADER: some answers, and each one is good
load() {
	begin "$1"
	wrk -t 2 -c 8 -d 3s --timeout 60s -H "$2" http://127.0.0.1:8080/numbers >out.txt
	status=$?
	cat out.txt
	grep -q ' [1-9][0-9]* requests in' out.txt || status=99
	came $status "$(grep -c -e 'Socket errors' -e Non-2xx out.txt) kinds of errors"
}
load plain 'Accept: */*'
load compressed 'Accept-Encoding: gzip'

# New workers while clients are served.
begin reload
wrk -t 1 -c 4 -d 3s --timeout 60s http://127.0.0.1:8080/numbers >out.txt &
client=$!
await test -s logs/access
kill -HUP $server
wait $client
came $? "$(grep -c Non-2xx out.txt) kinds of errors"
output after get numbers

begin stop
kill -QUIT $server
wait $server
came $?
begin complaints
came 0 "$(grep -c -e '\[alert\]' -e '\[emerg\]' -e '\[crit\]' logs/error)"
