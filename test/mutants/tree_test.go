package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// files writes a tree and returns its root.
func files(t *testing.T, contents map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range contents {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// contents reads a tree.
func contents(t *testing.T, root string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		got[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestMutateTree(t *testing.T) {
	before := map[string]string{"a": "one two three", "d/b": "one one"}
	root := files(t, before)
	restore, err := mutateTree(root, []edit{{"a", "one", "1"}, {"a", "three", "3"}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "1 two 3", "d/b": "one one"}
	if diff := cmp.Diff(want, contents(t, root)); diff != "" {
		t.Error(diff)
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, contents(t, root)); diff != "" {
		t.Error(diff)
	}
}

func TestMutateTreeRefuses(t *testing.T) {
	before := map[string]string{"a": "one two", "b": "one one"}
	root := files(t, before)
	for _, c := range []struct {
		edit edit
		want string
	}{
		{edit{"a", "three", ""}, "no longer holds"},
		{edit{"b", "one", ""}, "2 times"},
		{edit{"a", "", "x"}, "is empty"},
		{edit{"c", "one", ""}, "no such file"},
	} {
		_, err := mutateTree(root, []edit{{"a", "two", "2"}, c.edit})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v", c.edit, err)
		}
		if diff := cmp.Diff(before, contents(t, root)); diff != "" {
			t.Errorf("%v: the tree has changed:\n%s", c.edit, diff)
		}
	}
}

func TestCopyTree(t *testing.T) {
	src := files(t, map[string]string{"a": "new", "same": "s", "d/build/x": "x", "build/out": "o", ".git/y": "y"})
	dst := files(t, map[string]string{"a": "old", "same": "s", "gone": "g", "build/kept": "k"})
	old := time.Unix(1000, 0)
	if err := os.Chtimes(filepath.Join(dst, "same"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := copyTree(src, dst, "build"); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "new", "same": "s", "d/build/x": "x", "build/kept": "k"}
	if diff := cmp.Diff(want, contents(t, dst)); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Stat(filepath.Join(dst, "same")); err != nil || !info.ModTime().Equal(old) {
		t.Errorf("an unchanged file was written again: %v, %v", info.ModTime(), err)
	}
}
