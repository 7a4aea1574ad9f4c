package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// edit replaces a text that occurs once in a file by another.
type edit struct {
	file     string // relative to the tree's root
	old, new string
}

// apply returns what text becomes.
func (e edit) apply(text string) (string, error) {
	switch n := strings.Count(text, e.old); {
	case e.old == "":
		return "", fmt.Errorf("%s: the text to replace is empty", e.file)
	case n == 0:
		return "", fmt.Errorf("%s no longer holds the text to replace; adjust test/mutants/table.go:\n%s", e.file, e.old)
	case n > 1:
		return "", fmt.Errorf("%s holds the text to replace %d times; make it unique in test/mutants/table.go:\n%s", e.file, n, e.old)
	}
	return strings.Replace(text, e.old, e.new, 1), nil
}

// mutateTree makes the edits in the tree at root. restore puts the files back,
// newer than before, so that what was built from the changed ones is built
// again. Nothing is changed when there is an error.
func mutateTree(root string, edits []edit) (restore func() error, err error) {
	before, after := map[string]string{}, map[string]string{}
	for _, e := range edits {
		text, seen := after[e.file]
		if !seen {
			b, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				return nil, err
			}
			text = string(b)
			before[e.file] = text
		}
		if after[e.file], err = e.apply(text); err != nil {
			return nil, err
		}
	}
	restore = func() error { return writeAll(root, before) }
	if err := writeAll(root, after); err != nil {
		return nil, err
	}
	return restore, nil
}

func writeAll(root string, files map[string]string) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// copyTree makes dst hold what src holds, but for the folders at src's top that
// are named in skip or begin with a dot. A file that is the same already keeps
// its time of change; what is in dst alone is removed, but for dst's own
// folders named in skip, which hold its build products.
func copyTree(src, dst string, skip ...string) error {
	want := map[string]bool{}
	err := walk(src, skip, func(name string, d fs.DirEntry) error {
		want[name] = true
		return copyFile(filepath.Join(src, name), filepath.Join(dst, name))
	})
	if err != nil {
		return err
	}
	return walk(dst, skip, func(name string, d fs.DirEntry) error {
		if want[name] {
			return nil
		}
		return os.Remove(filepath.Join(dst, name))
	})
}

// walk calls f with the path of every file below root.
func walk(root string, skip []string, f func(name string, d fs.DirEntry) error) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && filepath.Dir(name) == "." && (skipped(name, skip)) {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		return f(name, d)
	})
}

func skipped(name string, skip []string) bool {
	for _, s := range skip {
		if name == s {
			return true
		}
	}
	return strings.HasPrefix(name, ".")
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(to); err == nil && string(old) == string(text) {
		return nil
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, text, info.Mode().Perm())
}
