package main

import (
	"slices"
	"strings"
)

// What a test came to, in the words of its suite; these are common to all.
const (
	pass       = "pass" // may be followed by a blank and what was checked
	skip       = "skip"
	fail       = "fail"
	unfinished = "unfinished" // began, and has no end: hung, or ended the whole run
	absent     = "absent"     // did not appear
)

// Tests that each run of a suite has besides the suite's own.
const (
	exitCase    = "(exit)"       // how the whole run ended
	kernelCase  = "(kernel log)" // what Linux complained about
	machineCase = "(machine)"    // whether it lived
)

// outcomes are the tests of one run.
type outcomes map[string]string

func passed(outcome string) bool { return outcome == pass || strings.HasPrefix(outcome, pass+" ") }

// history is what one test came to natively and adopted, try by try.
type history struct {
	Native  []string `json:"native"`
	Adopted []string `json:"adopted"`
}

// verdict is what a history says.
type verdict int

const (
	same      verdict = iota
	unsteady          // not the same, in a way that is no difference between the two sides
	different         // a difference
)

// judge compares the sides. A test that differed is a difference unless the tries
// after the first agree, or natively it comes to the same things by itself.
func (h *history) judge() verdict {
	if slices.Equal(h.Native, h.Adopted) && allEqual(h.Native) {
		return same
	}
	if varies := !allEqual(h.Native); varies && subset(h.Adopted, h.Native) {
		return unsteady
	}
	if len(h.Native) > 1 && slices.Equal(h.Native[1:], h.Adopted[1:]) {
		return unsteady
	}
	return different
}

func allEqual(s []string) bool { return len(slices.Compact(slices.Clone(s))) <= 1 }

func subset(s, of []string) bool {
	return !slices.ContainsFunc(s, func(o string) bool { return !slices.Contains(of, o) })
}

// add puts the outcomes of one try on both sides behind those of the tries before.
// With names only these were asked for.
func add(cases map[string]*history, native, adopted outcomes, names []string) {
	if names == nil {
		names = union(native, adopted)
	}
	for _, name := range names {
		h := cases[name]
		if h == nil {
			h = &history{}
			cases[name] = h
		}
		h.Native = append(h.Native, outcomeOf(native, name))
		h.Adopted = append(h.Adopted, outcomeOf(adopted, name))
	}
}

func outcomeOf(o outcomes, name string) string {
	if outcome, ok := o[name]; ok {
		return outcome
	}
	return absent
}

func union(a, b outcomes) []string {
	var names []string
	for name := range a {
		names = append(names, name)
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// differing are the names of the tests that did not come to the same in every try.
func differing(cases map[string]*history) []string {
	var names []string
	for name, h := range cases {
		if h.judge() != same {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
