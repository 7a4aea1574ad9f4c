/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module's files offer each other. Each block names the file that
 * implements it, and for each function who may call it and what it may do.
 */
#ifndef APKERN_CORE_H
#define APKERN_CORE_H

#include <linux/kernel.h>
#include <linux/cpumask.h>
#include <linux/mm_types.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/types.h>
#include "../abi/handover.h"
#include "../abi/apkern.h"

#undef pr_fmt
#define pr_fmt(fmt) "apkern: " fmt

/* Whose a CPU is. Each but ABSENT means that it is ours: listed, and refused to Linux. */
enum acpu_state {
	ACPU_ABSENT,		/* Linux's, or nobody's */
	ACPU_STARTING,
	ACPU_UP,		/* threads may be sent there, unless it failed */
	ACPU_LEAVING,		/* no thread is sent there; those that are there come home */
};

/*
 * A CPU that is an application CPU, or could be. There is one for every CPU but
 * the boot CPU, and its place and its numbers are constant while the module is
 * loaded. state and was_online are changed by elastic.c and acpu.c under the lock
 * of the former. cfg, stat and log come when the CPU is first taken and stay;
 * head is always there.
 */
struct acpu {
	unsigned int index;		/* in apk_cpus[], global->cpu[] */
	unsigned int linux_cpu;		/* Linux's number, or one above all of Linux's */
	u32 apicid;
	u32 state;			/* enum acpu_state; READ_ONCE/WRITE_ONCE */
	bool was_online;		/* taken from Linux by remove_cpu() */
	bool started;			/* it takes interrupts; read in an RCU read section */
	bool topology_shown;		/* topology.c */
	bool failing;			/* fail.c: whoever sets it ends the CPU */
	bool failed;			/* it has stopped; READ_ONCE/WRITE_ONCE; acpu.c clears both when nobody looks */
	const char *why;		/* what acpu_fail() was told; NULL: it failed by itself, or not */
	struct apk_cpu *cfg;
	struct apk_stat *stat;
	struct apk_log *log;
	struct apk_cpuhead *head;
	struct acpu_pages *pages;	/* memory.c: everything mapped in its window */
};

extern struct acpu *apk_cpus;		/* [apk_nr_cpus] */
extern unsigned int apk_nr_cpus;	/* how many could be application CPUs */
extern struct cpumask apk_possible;	/* those of them that Linux has a number for */
extern struct apk_global *apk_global;
extern struct apk_home_stat *apk_home;	/* one page */

/* Counting on the home side: any context, no lock; a lost count under preemption is avoided by the literal lock. */
static inline void apk_count(enum apk_home_counter c)
{
	__atomic_fetch_add(&apk_home->count[c], 1, __ATOMIC_RELAXED);
}

static inline void apk_add(enum apk_home_counter c, unsigned int n)
{
	__atomic_fetch_add(&apk_home->count[c], n, __ATOMIC_RELAXED);
}

/* It is ours, whatever it does. */
static inline bool acpu_taken(const struct acpu *a)
{
	return READ_ONCE(a->state) != ACPU_ABSENT;
}

/* Sets of application CPUs, by index, of APK_CPU_WORDS words. */
static inline bool cpus_has(const u64 *cpus, unsigned int i)
{
	return READ_ONCE(cpus[i / 64]) >> (i % 64) & 1;
}

static inline void cpus_add(u64 *cpus, unsigned int i)
{
	cpus[i / 64] |= 1ULL << (i % 64);
}

/*
 * acpu.c: threads may be sent there: UP, and not failed. Who looks at
 * apk_usable_changes first, and later finds it unchanged, has seen the set as it is.
 */
extern u64 apk_usable[APK_CPU_WORDS];
extern u32 apk_usable_changes;
void acpu_changed(struct acpu *a);	/* after its state or failed; any context */
static inline bool acpu_usable(const struct acpu *a)
{
	return cpus_has(apk_usable, a->index);
}

/* Is any? */
static inline bool acpu_any(void)
{
	unsigned int word;
	u64 any = 0;

	for (word = 0; word < APK_CPU_WORDS; word++)
		any |= READ_ONCE(apk_usable[word]);
	return any;
}

/* acpu.c: tells a CPU, which looks at it on its way to user mode and in its idle loop. Any context. */
void acpu_command(struct acpu *a, enum apk_command command);

/* acpu.c: which CPUs are ours. Any context. */
struct acpu *acpu_possible(unsigned int cpu);	/* by Linux's number, whoever has it; NULL: it can never be ours */
struct acpu *acpu_by_linux(unsigned int cpu);	/* NULL: not an application CPU */
unsigned int acpu_taken_count(void);
unsigned int acpu_up(void);		/* how many are usable */

/* elastic.c: taking CPUs and giving them back, one change at a time. Process context. */
int elastic_init(void);			/* takes and starts what cpus= means; an error is explained in the log */
void elastic_exit(void);		/* gives all back; no thread visits any more */
enum elastic_change { ELASTIC_ADD, ELASTIC_REMOVE, ELASTIC_RESET };
int elastic_change(enum elastic_change what, const char *text);	/* a list of CPUs; space around it does not matter */
bool elastic_suspend(void);		/* false: CPUs are taken; true: none is, nor will be before elastic_resume() */
void elastic_resume(void);
void elastic_shutdown(void);		/* stops all CPUs for good */

/*
 * fail.c: a CPU that does not answer or said FAILED. Any context, also with
 * interrupts off, in an RCU read section that began before the CPU was found so.
 */
void acpu_fail(struct acpu *a, const char *why);	/* INIT, state FAILED, space unloaded, flushes count as done; once a CPU */
void acpu_report(struct acpu *a);	/* the CPU said FAILED: its fatal block into the kernel log, once; called by the doorbell */
int fail_init(void);			/* panic and reboot notifiers, suspend refused */
void fail_exit(void);

/* lapic.c: interprocessor interrupts to application CPUs. Any context. */
int lapic_init(void);
void lapic_exit(void);
bool lapic_x2apic(void);
void lapic_ipi(u32 apicid, u32 vector);
void lapic_icr(u32 apicid, u32 low);	/* INIT, SIPI */
/* A CPU that is given back takes none of ours any more: see stop() in acpu.c. */
static inline void acpu_ipi(struct acpu *a, u32 vector)
{
	rcu_read_lock();
	if (READ_ONCE(a->started))
		lapic_ipi(a->apicid, vector);
	rcu_read_unlock();
}

/* image.c: the application kernel's image and its pages. */
int image_init(void);
void image_exit(void);
size_t image_size(void);	/* in bytes, of its pages and tables */
u64 image_entry(void);

/* memory.c: page tables, the window, the global region, slots. Process context unless said. */
int memory_init(void);	/* allocates apk_global, apk_home */
void memory_exit(void);
int memory_cpu_init(struct acpu *a);	/* a->cfg, stat and log, once; then all as zero as at a start, but stat and log */
void memory_cpu_exit(struct acpu *a);
size_t memory_cpu_size(const struct acpu *a);	/* in bytes, of tables and pages; any context */
int memory_identity(struct acpu *a, phys_addr_t page, bool on);	/* identity-maps the trampoline page in idle_top */
/* Slots: -ENOSPC when all, or current's user's share, are taken. Sets head.phys; state HOME. Task context. */
int slot_alloc(unsigned int *index);
bool slot_paid(unsigned int index);	/* current's own: is it of its user's share? */
void slot_free(unsigned int index);	/* state must be HOME; any context that may take a spin lock */
struct apk_slot *slot_get(unsigned int index);	/* its page in home's address space */
unsigned int slots_used(void);
size_t slots_size(void);		/* in bytes, of all that were ever used; any context */

/* doorbell.c: the interrupt by which application CPUs call Linux. */
int doorbell_init(void);		/* publishes global->bell_apicid and bell_vector */
void doorbell_exit(void);

/* space.c: address spaces shown to application CPUs. */
struct space;				/* one an mm while threads of it visit */
int space_init(void);
void space_exit(void);			/* after the last thread: waits for notifiers to be freed */
struct space *space_get(struct mm_struct *mm);	/* task context, may sleep, mm == current->mm; ERR_PTR */
void space_put(struct space *s);	/* may be atomic; unloads it everywhere before the last reference goes */
/*
 * Every application CPU that runs user mode of that mm, NULL: of any, has passed a full
 * barrier and a serialising instruction there when it returns; or of every mm with one of
 * these bits in its membarrier_state. Any context.
 */
void space_barrier(struct mm_struct *mm);
void space_barrier_registered(int state);
void space_sync(struct space *s);	/* copy the top-level entries afresh; any context */
void space_reveal(struct space *s, u64 address);	/* the one of a user address; any context */
void space_quiesce(void);	/* every application CPU has since left what it was doing in ring 0; any context */
/*
 * From the first to the last no application CPU touches user memory, of any
 * space. Nests. Any context; nobody may sleep in between (see nolock.c).
 */
void space_hold_all(void);
void space_release_all(void);
/*
 * The account of waits.c: how many of the mm's threads are known to it, by how many
 * more; the first also counts the mm's users. Any context.
 */
void space_users(struct space *s, int known);
void space_known(struct space *s, int known);
void space_wait(struct space *s, unsigned int bucket, int waiters);	/* of APK_FUTEX_BUCKETS */
void space_spoil(struct mm_struct *mm);		/* there is no account any more */
struct mm_struct *space_mm(struct space *s);
u64 space_id(struct space *s);
u64 space_phys(struct space *s);

/* nolock.c: what a Linux without LOCK prefixes needs; does nothing on others. Process context. */
int nolock_init(void);		/* -EOPNOTSUPP with the reason when this kernel cannot be guarded */
void nolock_exit(void);

/* affinity.c, barrier.c: calls of Linux's that concern application CPUs, diverted. Process context. */
int affinity_init(void);	/* -EOPNOTSUPP with the reason when this kernel's cannot be */
void affinity_exit(void);
int barrier_init(void);		/* likewise */
void barrier_exit(void);

/* answers.c: who begins to watch system calls is noticed. Process context. */
int answers_init(void);
void answers_exit(void);

/* waits.c: who moves futex waiters is noticed. Process context. */
int waits_init(void);
void waits_exit(void);

/* clocks.c: the time of threads that are away, for whoever reads their clocks. Process context. */
int clocks_init(void);
void clocks_exit(void);

/* groups.c: has nothing to undo. Process context. */
int groups_init(void);

/* thread.c: adopted threads. */
struct thread;
int thread_init(void);
void thread_exit(void);
int thread_adopt(const struct apkern_adopt *a, bool at_exec);	/* current; may sleep */
unsigned int thread_count(void);
size_t threads_size(void);		/* in bytes, of their records; any context */
void thread_wake(unsigned int slot);	/* doorbell: hard interrupt context */
void thread_wake_all(void);		/* a CPU failed: look again; any context */
void thread_cpus_changed(void);		/* where threads may be has changed: all come home and leave again; any context */
bool thread_waits_for(unsigned int cpu);	/* is one on that CPU, by index, or ready or away with leave to run there? */
bool thread_running(unsigned int slot, pid_t *pid, char comm[TASK_COMM_LEN]);	/* for sysfs; process context */

/* ready.c: how many threads wait that the CPU with that index may run. Any context. */
unsigned int ready_count(unsigned int cpu);

/* visit.c */
void visit_work(struct callback_head *work);

/* dev.c, sysfs.c */
int dev_init(void);
void dev_exit(void);
int sysfs_init(void);
void sysfs_exit(void);

/* main.c: parameters; those marked rw may change any time. */
extern char *apk_param_cpus;		/* cpus= */
u64 apk_deadline(void);			/* patience_ms= rw: the TSC by which a CPU that is asked now has answered, or is dead. Any context */
extern bool apk_param_inject;		/* inject= fault injection allowed */
extern unsigned int apk_param_slots;	/* slots= */
extern unsigned int apk_param_user_slots;	/* user_slots= rw: how many of them one user may have; 0: half */
extern unsigned int apk_param_poll_us;	/* poll_us= rw: how long either side polls before it sleeps */
extern unsigned int apk_param_slice_us;	/* slice_us= rw */
extern bool apk_param_stay;		/* stay= rw: 0: no policy, a thread always visits */
extern bool apk_param_cgroups;		/* cgroups= rw: 1: threads in groups of the cpu controller visit, past their quota */
extern bool apk_param_affinity;		/* affinity= rw: 0: the scheduler's CPU mask does not bind visits */
extern unsigned int apk_param_fault_around;	/* fault_around= rw: pages a passage at the most, see fault.c; 0 and 1: no more than asked for */
extern unsigned int apk_param_stay_ms;	/* stay_ms= rw: how long a thread whose visits do not pay stays home at first */
extern unsigned int apk_param_loss;	/* loss= rw: thousandths of its time that one may lose which is alone */

#endif
