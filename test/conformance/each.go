package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// eachMain runs programs, each with a limit, and prints what they came to. It is
// itself run natively or adopted, and its children with it.
//
//	conformance each LIMIT JOBS FILE [NAME...]
//
// A line of FILE is a name, a tab, and a command of words; another tab and a limit
// of its own may follow. JOBS run at a time, since
// most wait for something; with NAMEs only these run, and one at a time, so that they
// do not disturb each other. What a program prints comes in front of the line that
// says how it ended, which parseLines understands.
func eachMain(args []string) error {
	if len(args) < 3 {
		return errors.New("usage: conformance each LIMIT JOBS FILE [NAME...]")
	}
	limit, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	jobs, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	text, err := os.ReadFile(args[2])
	if err != nil {
		return err
	}
	names := args[3:]
	if len(names) > 0 {
		jobs = 1
	}
	var group errgroup.Group
	group.SetLimit(jobs)
	for line := range strings.Lines(string(text)) {
		name, words, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok {
			return fmt.Errorf("%s: no command in %q", args[2], line)
		}
		words, own, ok := strings.Cut(words, "\t")
		limit := limit
		if ok {
			if limit, err = time.ParseDuration(own); err != nil {
				return fmt.Errorf("%s: %w", args[2], err)
			}
		}
		if len(names) == 0 || slices.Contains(names, name) {
			group.Go(func() error { return each(name, strings.Fields(words), limit) })
		}
	}
	return group.Wait()
}

// each runs one program in a directory of its own.
func each(name string, argv []string, limit time.Duration) error {
	dir, err := os.MkdirTemp(scratch, "each")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	out, err := os.CreateTemp(scratch, "out")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	fmt.Printf("%s%s\n", beginMark, name)
	c := command{argv: argv, env: append(os.Environ(), "TMPDIR="+dir), dir: dir}
	how, err := c.run(out, limit)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(out.Name())
	// In one piece: others print too. The last line need not have had an end.
	fmt.Printf("%s\n%s%s %s\n", text, endMark, name, how)
	return err
}
