// SPDX-License-Identifier: GPL-2.0
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;

/** Threads, locks, garbage and exceptions; prints what does not depend on their order. */
public class Work {
	static int depth(int n) {
		return n == 0 ? 0 : 1 + depth(n - 1);
	}

	public static void main(String[] args) throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(4);
		ConcurrentHashMap<Integer, LongAdder> map = new ConcurrentHashMap<>();
		AtomicLong sum = new AtomicLong();
		long[] guarded = new long[1];
		Object lock = new Object();
		List<Future<Integer>> futures = new ArrayList<>();
		for (int t = 0; t < 8; t++) {
			int seed = t;
			futures.add(pool.submit(() -> {
				Random random = new Random(seed);
				int bad = 0;
				for (int i = 0; i < 20000; i++) {
					int key = random.nextInt(500);
					map.computeIfAbsent(key, k -> new LongAdder()).increment();
					sum.addAndGet(key);
					synchronized (lock) {
						guarded[0]++;
					}
					byte[] garbage = new byte[random.nextInt(2000)];
					if (garbage.length > 0 && garbage[garbage.length - 1] != 0)
						bad++;
				}
				return bad;
			}));
		}
		int bad = 0;
		for (Future<Integer> f : futures)
			bad += f.get();
		pool.shutdown();
		if (!pool.awaitTermination(10, TimeUnit.MINUTES))
			throw new IllegalStateException("the pool does not end");
		System.out.println("adders " + map.values().stream().mapToLong(LongAdder::sum).sum()
			+ " keys " + map.size() + " sum " + sum + " guarded " + guarded[0] + " bad " + bad);
		System.out.println("primes " + IntStream.range(2, 60000).parallel()
			.filter(n -> IntStream.rangeClosed(2, (int) Math.sqrt(n)).allMatch(d -> n % d != 0)).count());
		System.out.println("doubles " + DoubleStream.iterate(1, x -> x * 1.0001).limit(50000).map(Math::sin).sum());
		// Implicit checks are faults that the machine turns into exceptions.
		int caught = 0;
		for (int i = 0; i < 20000; i++) {
			String s = i % 3 == 0 ? null : "x";
			try {
				caught += s.length() - 1;
			} catch (NullPointerException e) {
				caught++;
			}
		}
		try {
			depth(100_000_000);
		} catch (StackOverflowError e) {
			caught++;
		}
		System.out.println("caught " + caught);
	}
}
