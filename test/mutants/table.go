package main

// mutant is one broken mechanism.
type mutant struct {
	name   string
	breaks string // what it breaks, for people
	guard  string // the guest test, or subtest, that must notice
	up     bool   // on a Linux without SMP
	edits  []edit
}

var table = []mutant{
	{
		name:   "no-flush",
		breaks: "home does not ask for flushes when page tables change",
		guard:  "TestCoherence",
		edits:  []edit{{"module/space.c", "\tcpus = flush(s->page->id);\n", "\tcpus = 0;\n"}},
	},
	{
		name:   "flush-not-done",
		breaks: "an application CPU acknowledges a flush without flushing",
		guard:  "TestCoherence",
		edits: []edit{{"kernel/space/space.go",
			"\t\tcpu.WriteCR3(window.Config().UserTop)\n\t}\n\tstat.Inc(abi.CFlush)\n",
			"\t}\n\tstat.Inc(abi.CFlush)\n"}},
	},
	{
		name:   "flush-not-awaited",
		breaks: "home does not wait for the acknowledgement of a flush",
		guard:  "TestCoherence",
		edits: []edit{{"module/space.c",
			"while (READ_ONCE(a->head->flush_ack) < want) {",
			"while (READ_ONCE(a->head->flush_ack) > want) {"}},
	},
	{
		name:   "top-entries-stale",
		breaks: "top-level entries are copied once, not afresh",
		guard:  "TestTopEntry",
		edits: []edit{{"module/space.c",
			"\traw_spin_lock_irqsave(&s->lock, flags);\n\tfor (i = 0; i < APK_TOP_USER; i++) {\n",
			"\tif (s->page->generation)\n\t\treturn;\n\traw_spin_lock_irqsave(&s->lock, flags);\n\tfor (i = 0; i < APK_TOP_USER; i++) {\n"}},
	},
	{
		name:   "no-fpu-save",
		breaks: "the extended state is not saved when a thread goes home",
		guard:  "TestFPU",
		edits: []edit{{"kernel/slot/regs.go",
			"\tcpu.XSave(&f.XMM, window.SlotFPU(), s.XMask)\n", ""}},
	},
	{
		name:   "segment-bases-lost",
		breaks: "segment bases that changed away are not restored at home",
		guard:  "TestSegments",
		edits: []edit{{"module/regs.c",
			"\tcurrent->thread.fsbase = s->fsbase;\n\twrmsrl(MSR_FS_BASE, s->fsbase);\n" +
				"\tcurrent->thread.gsbase = s->gsbase;\n\twrmsrl(MSR_KERNEL_GS_BASE, s->gsbase);\n", ""}},
	},
	{
		name:   "no-recall",
		breaks: "a signal does not recall a thread that is away",
		guard:  "TestSignals/recall_3000",
		edits: []edit{{"module/visit.c",
			"if (arrived || signal_pending(current) ||", "if (arrived || fatal_signal_pending(current) ||"}},
	},
	{
		name:   "recall-not-tested",
		breaks: "an application CPU does not test the recall flag before user mode",
		guard:  "TestSignals/recall_3000",
		edits: []edit{{"kernel/slot/slot.go",
			"return atomic.LoadUint32(&window.Head(Index()).Recall) != 0", "return false"}},
	},
	{
		name:   "children-not-adopted",
		breaks: "children and new threads are not adopted",
		guard:  "TestParallel",
		edits:  []edit{{"module/probe.c", "\tthread_inherit(parent, child);\n", ""}},
	},
	{
		name:   "time-not-credited",
		breaks: "time away is not charged to the thread",
		guard:  "TestCPUTime",
		edits: []edit{{"module/account.c",
			"if (cycles - t->credited > t->charged) {", "if (cycles < t->credited) {"}},
	},
	{
		name:   "clocks-late",
		breaks: "whoever reads a clock does not credit the time of threads that are away",
		guard:  "TestClocks/cpuclocks",
		edits:  []edit{{"module/account.c", "\t\tif (t->shared) {\n", "\t\tif (t->shared && t->dead) {\n"}},
	},
	{
		name:   "groups-not-charged",
		breaks: "time away is not charged to control groups",
		guard:  "TestGroupUsage",
		edits:  []edit{{"module/account.c", "\t\tgroups_charge(task, ns);\n", ""}},
	},
	{
		name:   "no-look",
		breaks: "home does not look at what others did to a thread that is away",
		guard:  "TestMovedToQuota",
		edits:  []edit{{"module/visit.c", "\t\tv->wanted = decline_others() || place_changed(v->t, v->h);\n", ""}},
	},
	{
		name:   "no-look-between-faults",
		breaks: "home does not look at a thread whose faults come faster than its looks",
		guard:  "TestFaultsAreNoShelter",
		edits: []edit{{"module/visit.c",
			"READ_ONCE(current->task_works) || wanted_home(v))", "READ_ONCE(current->task_works))"},
			{"module/visit.c", "struct visit v = { .t = t, .look = jiffies + LOOK_PERIOD };", "struct visit v = { .t = t };"},
			{"module/visit.c", "\tlong timeout = v->look - jiffies;\n", "\tlong timeout = LOOK_PERIOD;\n\n\tv->look = jiffies + LOOK_PERIOD;\n"}},
	},
	{
		name:   "look-forgotten",
		breaks: "a look at a thread that comes for a fault just then is forgotten",
		guard:  "TestFaultsAreNoShelter",
		edits: []edit{{"module/visit.c",
			"\t\tv->wanted = decline_others() || place_changed(v->t, v->h);\n\t}\n\treturn v->wanted;\n",
			"\t\treturn decline_others() || place_changed(v->t, v->h);\n\t}\n\treturn false;\n"}},
	},
	{
		name:   "timers-away",
		breaks: "threads with timers on CPU time armed visit",
		guard:  "TestClocks/cputimers",
		edits:  []edit{{"module/decline.c", "\tif (READ_ONCE(current->signal->posix_cputimers.timers_active))\n\t\treturn true;\n", ""}},
	},
	{
		name:   "events-away",
		breaks: "threads that perf counts visit",
		guard:  "TestPerfEvent",
		edits:  []edit{{"module/decline.c", "\treturn events > 0;\n", "\treturn false;\n"}},
	},
	{
		name:   "event-contexts-stay",
		breaks: "a thread that perf counted once stays home for good",
		guard:  "TestPerfEvent",
		edits:  []edit{{"module/decline.c", "READ_ONCE(context->nr_events) : 0", "1 : 0"}},
	},
	{
		name:   "breakpoints-away",
		breaks: "threads with hardware breakpoints visit",
		guard:  "TestTracer/ptraceops",
		edits:  []edit{{"module/decline.c", "current->thread.ptrace_dr7 & (DR_LOCAL_ENABLE_MASK | DR_GLOBAL_ENABLE_MASK)", "false"}},
	},
	{
		name:   "descriptors-away",
		breaks: "threads with segment descriptors of their own visit",
		guard:  "TestOddCode/ldt",
		edits:  []edit{{"module/decline.c", "\tif (READ_ONCE(current->mm->context.ldt))\n\t\treturn true;\n", ""}},
	},
	{
		name:   "stale-call-number",
		breaks: "a thread that comes home looks as if it was in the system call that it left from",
		guard:  "TestTracer/ptraceregs",
		edits:  []edit{{"module/regs.c", "\tregs->orig_ax = -1;\n", ""}},
	},
	{
		name:   "vectors-not-loaded",
		breaks: "home does not take the extended state of a thread that comes home",
		guard:  "TestCoreDump",
		edits:  []edit{{"module/regs.c", "\tfpu_load(s);\n", ""}},
	},
	{
		name:   "sequence-not-aborted",
		breaks: "a thread goes on in a restartable sequence although another one ran on the CPU",
		guard:  "TestRseq",
		edits:  []edit{{"kernel/idle/rseq.go", "!ok || cs != 0 {", "!ok || cs == 1 {"}},
	},
	{
		name:   "ranges-not-held",
		breaks: "no CPU is held while Linux changes a range of page table entries without LOCK",
		guard:  "TestNoLock/dirtybits_protect",
		up:     true,
		edits: []edit{{"module/space.c",
			"\t__atomic_fetch_add(&s->page->held, 1, __ATOMIC_SEQ_CST);\n\tflush(s->page->id);\n", ""},
			{"module/space.c", "\t__atomic_fetch_sub(&of(n)->page->held, 1, __ATOMIC_SEQ_CST);\n", ""}},
	},
	{
		name:   "futex-not-held",
		breaks: "no CPU is held while Linux changes a user's word without LOCK",
		guard:  "TestNoLock/futexop",
		up:     true,
		edits:  []edit{{"module/nolock.c", "h->on = !mm || mm_has_notifiers(mm);", "h->on = mm && mm_has_notifiers(mm);"}},
	},
	{
		name:   "aging-not-held",
		breaks: "no CPU is held while Linux clears accessed bits without LOCK",
		guard:  "TestNoLock/dirtybits_refs",
		up:     true,
		edits:  []edit{{"module/nolock.c", "h->on = !mm || mm_has_notifiers(mm);", "h->on = !mm;"}},
	},
	{
		name:   "hold-not-tested",
		breaks: "an application CPU does not wait for the end of a hold",
		guard:  "TestNoLock/dirtybits_protect",
		up:     true,
		edits:  []edit{{"kernel/admit/admit.go", "if !space.Held() {", "if space.Held(); true {"}},
	},
	{
		name:   "mask-not-kept",
		breaks: "an affinity mask loses its application CPUs",
		guard:  "TestAffinity",
		edits:  []edit{{"module/affinity.c", "\tt->affinity.chosen = true;\n", ""}},
	},
	{
		name:   "mask-not-obeyed",
		breaks: "a thread that is away is not moved when its mask changes",
		guard:  "TestAffinity",
		edits: []edit{{"module/affinity.c", "\tthread_move(t);\n", ""},
			{"module/visit.c", "decline_others() || place_changed(v->t, v->h)", "decline_others()"}},
	},
	{
		name:   "mask-not-confined",
		breaks: "a thread gets application CPUs by asking, past its cpuset",
		guard:  "TestCpuset",
		edits:  []edit{{"module/affinity.c", "bool bound = confined(t->task);", "bool bound = false;"}},
	},
	{
		name:   "barrier-not-sent",
		breaks: "membarrier does not interrupt application CPUs",
		guard:  "TestBarrier/private",
		edits:  []edit{{"module/barrier.c", "\t\tspace_barrier(current->mm);\n", ""}},
	},
	{
		name:   "sequences-not-restarted",
		breaks: "membarrier does not restart sequences on application CPUs",
		guard:  "TestBarrier/barrier_500",
		edits:  []edit{{"module/barrier.c", "\t\tthread_recall_all(current->mm);\n", ""}},
	},
}
