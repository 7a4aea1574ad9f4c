// SPDX-License-Identifier: GPL-2.0
// Worker threads on shared memory, the thread pool, a child; prints what does not
// depend on their order.
'use strict';
const { Worker, isMainThread, workerData } = require('worker_threads');
const crypto = require('crypto');
const zlib = require('zlib');
const { execFileSync } = require('child_process');
const { promisify } = require('util');

const rounds = 20000;

if (!isMainThread) {
	const shared = new Int32Array(workerData);
	let own = 0;
	for (let i = 0; i < rounds; i++) {
		Atomics.add(shared, 0, 1);
		own = (own * 33 + i) | 0;
	}
	Atomics.add(shared, 1, own);
	Atomics.notify(shared, 0);
	return;
}

async function main() {
	const memory = new SharedArrayBuffer(8);
	await Promise.all([1, 2, 3, 4].map(() => new Promise((resolve, reject) => {
		const w = new Worker(__filename, { workerData: memory });
		w.on('error', reject);
		w.on('exit', resolve);
	})));
	console.log('shared', ...new Int32Array(memory));
	const keys = await Promise.all([1, 2, 3, 4, 5, 6].map((n) =>
		promisify(crypto.pbkdf2)('password' + n, 'salt', 2000, 32, 'sha256')));
	console.log('keys', keys.map((k) => k.toString('hex')).join(' '));
	const text = Buffer.from(Array.from({ length: 50000 }, (_, i) => i % 251));
	const packed = await Promise.all([1, 5, 9].map((level) => promisify(zlib.deflate)(text, { level })));
	for (const p of packed)
		console.log('inflated', crypto.createHash('sha1').update(await promisify(zlib.inflate)(p)).digest('hex'));
	console.log('child', execFileSync(process.execPath, ['-e', 'console.log(6 * 7)']).toString().trim());
}

main();
