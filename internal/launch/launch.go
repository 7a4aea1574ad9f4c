// Package launch finds the program a command line names, with the exit
// statuses that shells give when there is none.
package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
)

// Exit statuses of a command that could not be started (POSIX, Shell Command
// Language, 2.8.2) and of a tool that failed itself before it came to that.
const (
	StatusFailed     = 125
	StatusNotRunable = 126
	StatusNotFound   = 127
	// StatusSignal is added to the number of the signal that ended a command.
	StatusSignal = 128
)

// DefaultPath is searched when the environment has no PATH.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Find returns the file to execute for name, as execvp(3) finds it: a name
// with a slash is taken as it is, relative to dir; another is looked up in
// path, a colon-separated list whose empty elements mean dir. The result may
// be relative to dir.
//
// The error wraps fs.ErrNotExist or, when there are only files that may not be
// executed, fs.ErrPermission; its text begins with name.
func Find(name, path, dir string) (string, error) {
	if strings.Contains(name, "/") {
		if err := executable(name, dir); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		return name, nil
	}
	found := error(syscall.ENOENT)
	for _, d := range filepath.SplitList(path) {
		if d == "" {
			d = "."
		}
		file := d + "/" + name
		switch err := executable(file, dir); {
		case name == "":
		case err == nil:
			return file, nil
		case errors.Is(err, fs.ErrPermission):
			found = err
		}
	}
	if found == syscall.ENOENT {
		return "", fmt.Errorf("%s: command not found%w", name, hidden{found})
	}
	return "", fmt.Errorf("%s: %w", name, found)
}

// executable tells whether file, relative to dir, may be executed.
func executable(file, dir string) error {
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(file, &st); err != nil {
		return err
	}
	if st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		return dirError{}
	}
	const execute = 1 // X_OK
	return syscall.Access(file, execute)
}

// Status is the exit status for an error of Find or of execve(2) itself.
func Status(err error) int {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return StatusNotFound
	}
	return StatusNotRunable
}

// dirError says that a directory was to be executed: EACCES with a clearer text.
type dirError struct{}

func (dirError) Error() string { return "is a directory" }
func (dirError) Unwrap() error { return syscall.EACCES }

// hidden keeps an error for errors.Is where the text has said it already.
type hidden struct{ err error }

func (hidden) Error() string   { return "" }
func (h hidden) Unwrap() error { return h.err }
