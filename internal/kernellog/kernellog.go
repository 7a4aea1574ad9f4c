// Package kernellog finds, in what Linux logs, the reports by which it says that
// something is wrong with it.
package kernellog

import (
	"regexp"
	"strings"
)

// Report is one report, from the line that begins it to its last.
type Report struct {
	Kind  string // as KASAN
	Lines []string
}

// Title is the line by which the report was recognised.
func (r Report) Title() string {
	for _, line := range r.Lines {
		if kindOf(line) != nil {
			return line
		}
	}
	return r.Lines[0]
}

func (r Report) String() string { return strings.Join(r.Lines, "\n") }

// kind is one kind of report.
type kind struct {
	name   string
	begins *regexp.Regexp
	ends   *regexp.Regexp // its last line; nil: it is one line
}

// How reports end.
var (
	stackEnd = regexp.MustCompile(`^ </TASK>`)
	traceEnd = regexp.MustCompile(`---\[ end (trace|Kernel panic)`)
	ruleEnd  = regexp.MustCompile(`^={20,}$`)
)

// kinds, the first that matches decides. The texts are those of Linux 6.1 to
// 6.12. A line about a user program that faults is none, nor is one of a
// processor's vulnerabilities.
var kinds = []kind{
	{"KASAN", regexp.MustCompile(`BUG: KASAN: `), ruleEnd},
	{"KFENCE", regexp.MustCompile(`BUG: KFENCE: `), ruleEnd},
	{"UBSAN", regexp.MustCompile(`UBSAN: `), ruleEnd},
	{"slab", regexp.MustCompile(`BUG \S+ \((Not tainted|Tainted|[A-Z ]+)[^)]*\)|Slab corruption`), stackEnd},
	{"debug objects", regexp.MustCompile(`ODEBUG: (?:free|init|activate|deactivate|assert|Out)`), traceEnd},
	{"list", regexp.MustCompile(`list_(?:add|del) corruption|plist_|slist corruption`), traceEnd},
	{"reference count", regexp.MustCompile(`refcount_t: `), traceEnd},
	{"stall", regexp.MustCompile(`INFO: (?:rcu_\w+|\w+) (?:self-)?detected (?:expedited )?stall|soft lockup|[Hh]ard LOCKUP|blocked for more than`), stackEnd},
	{"lock", regexp.MustCompile(`WARNING: (?:possible|inconsistent|bad|suspicious|lock held|held lock|Nested|HARDIRQ|SOFTIRQ)|` +
		`INFO: (?:possible|inconsistent|trying to register non-static key)|BUG: (?:Invalid wait context|MAX_\w+ too low|key \w+ (?:has not|not))|` +
		`DEBUG_LOCKS_WARN_ON|turning off the locking correctness validator|BUG: (?:spinlock|rwlock) `), stackEnd},
	{"context", regexp.MustCompile(`BUG: (?:sleeping function|scheduling while atomic|using \w+\(\) in preemptible|atomic scheduling|workqueue leaked)|` +
		`Voluntary context switch within RCU`), stackEnd},
	{"leak", regexp.MustCompile(`kmemleak: \d+ new suspected memory leaks`), nil},
	{"memory", regexp.MustCompile(`BUG: Bad (?:page|rss-counter)|BUG: non-zero pgtables_bytes|Bad swap|page_table_check`), stackEnd},
	{"panic", regexp.MustCompile(`Kernel panic`), traceEnd},
	{"oops", regexp.MustCompile(`Oops\b|general protection fault[,:] |kernel BUG at|BUG: (?:unable to handle|kernel NULL|stack guard)|double fault: |stack segment: `), traceEnd},
	{"warning", regexp.MustCompile(`WARNING: CPU: `), traceEnd},
	{"other", regexp.MustCompile(`\bBUG: |\bINFO: (?:task|Slab|Object|suspicious)|-{5,}\[ cut here \]|\bCall Trace:`), stackEnd},
	{"other", regexp.MustCompile(`(?:^|[^:] )WARNING: [a-z]`), stackEnd},
}

// vulnerability is how Linux begins a line about one of the processor's, of
// which some have "WARNING:" in them.
var vulnerability = regexp.MustCompile(`^(?:Spectre V2|MDS|TAA|MMIO Stale Data|SRBDS|L1TF|Register File Data Sampling|Transient Scheduler Attacks|ITS|RETBleed|VMSCAPE)\s?: `)

// kindOf returns what kind of report a line belongs to, nil when it is none.
func kindOf(line string) *kind {
	if vulnerability.MatchString(line) {
		return nil
	}
	for i := range kinds {
		if kinds[i].begins.MatchString(line) {
			return &kinds[i]
		}
	}
	return nil
}

// harmless begins a stack that Linux shows when a program, not the kernel, is to
// blame: of memory that it was not allowed.
var harmless = regexp.MustCompile(` invoked oom-killer: `)

// Complaint tells whether a line, without its time, belongs to a report.
func Complaint(line string) bool { return kindOf(line) != nil }

var cpuFailure = regexp.MustCompile(`^apkern: CPU \d+(?:: the application kernel failed | is stopped: )`)

// CPUFailure tells whether the module says in a line that an application CPU
// failed. That is no report of Linux's; some tests bring it about.
func CPUFailure(line string) bool { return cpuFailure.MatchString(line) }

// before is the line that Linux writes ahead of the one that says what it is.
var before = regexp.MustCompile(`^={20,}$|-{5,}\[ cut here \]`)

// longest bounds a report whose end did not get into the log.
const longest = 200

// Find returns the reports in lines, which have no times in front (see Texts).
// Whatever follows within a report, as a second one that it provokes, is part of it.
func Find(lines []string) []Report {
	var reports []Report
	done := 0 // lines before this one belong to a report
	for i := 0; i < len(lines); {
		if harmless.MatchString(lines[i]) {
			i = endOf(lines, i, stackEnd)
			done = i
			continue
		}
		k := kindOf(lines[i])
		if k == nil {
			i++
			continue
		}
		first, at := i, i
		// "cut here" and the like: the next lines say what kind it is.
		for next := i; k.name == "other" && next < min(i+4, len(lines)); next++ {
			if better := kindOf(lines[next]); better != nil && better.name != "other" {
				k, at = better, next
			}
		}
		if first > done && before.MatchString(lines[first-1]) {
			first--
		}
		end := at + 1
		if k.ends != nil {
			end = endOf(lines, at, k.ends)
		}
		reports = append(reports, Report{k.name, lines[first:end]})
		i, done = end, end
	}
	return reports
}

// endOf returns the index after the last line of the report that is recognised
// in line at.
func endOf(lines []string, at int, last *regexp.Regexp) int {
	limit := min(at+longest, len(lines))
	for i := at + 1; i < limit; i++ {
		if last.MatchString(lines[i]) {
			return i + 1
		}
	}
	return limit
}

// stamp is what dmesg and consoles have in front of a message: its priority, its
// time, the task or CPU that wrote it.
var stamp = regexp.MustCompile(`^(?:<\d+>)?(?:\[ *\d+\.\d+\])?(?:\[ *[TC]\d+\])? ?`)

// Texts returns the lines of a log without what is in front of the messages.
func Texts(log string) []string {
	lines := strings.Split(strings.TrimRight(log, "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(stamp.ReplaceAllString(line, ""), "\r")
	}
	return lines
}
