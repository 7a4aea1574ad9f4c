package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// eachMain runs programs one after the other, each with a limit, and prints what
// they came to. It is itself run natively or adopted, and its children with it.
//
//	conformance each LIMIT FILE [NAME...]
//
// A line of FILE is a name, a tab, and a command of words; with NAMEs only these run.
// What a program prints comes between two lines, that parseLines understands.
func eachMain(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: conformance each LIMIT FILE [NAME...]")
	}
	limit, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	text, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		name, words, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok {
			return fmt.Errorf("%s: no command in %q", args[1], line)
		}
		if len(args) > 2 && !slices.Contains(args[2:], name) {
			continue
		}
		if err := each(name, strings.Fields(words), limit); err != nil {
			return err
		}
	}
	return nil
}

// each runs one program in a directory of its own.
func each(name string, argv []string, limit time.Duration) error {
	dir, err := os.MkdirTemp(scratch, "each")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Printf("%s%s\n", beginMark, name)
	c := command{argv: argv, env: append(os.Environ(), "TMPDIR="+dir), dir: dir}
	how, err := c.run(os.Stdout, limit)
	if err != nil {
		return err
	}
	// What the program printed last need not have ended its line.
	fmt.Printf("\n%s%s %s\n", endMark, name, how)
	return nil
}
