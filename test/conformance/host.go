package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// runner runs suites in virtual machines.
type runner struct {
	params string // of the module
	resume bool   // results that are there count
}

// results is the directory of results; a module of other parameters has its own.
func (r runner) results() string {
	if r.params == "" {
		return resultsDir
	}
	return resultsDir + "-" + strings.ReplaceAll(r.params, " ", ",")
}

// has says whether a suite has a result.
func (r runner) has(s suite) bool {
	_, err := os.Stat(filepath.Join(r.results(), s.name, resultFile))
	return err == nil
}

// bootLimit is what a machine needs besides its suite's runs.
const bootLimit = 3 * time.Minute

// maxBoots is how often a machine is started whose clock turns out to be wrong.
const maxBoots = 5

// run runs one suite in a machine of its own and returns what the guest found.
func (r runner) run(s suite) (result, error) {
	dir, err := filepath.Abs(filepath.Join(r.results(), s.name))
	if err != nil {
		return result{}, err
	}
	file := filepath.Join(dir, resultFile)
	if r.resume {
		if res, err := readResult(file); !errors.Is(err, fs.ErrNotExist) {
			return res, err
		}
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return result{}, err
	}
	begun := time.Now()
	lost, err := r.boot(s, dir)
	for range maxBoots - 1 {
		if !errors.Is(err, errClock) {
			break
		}
		lost, err = r.boot(s, dir)
	}
	if err != nil {
		return result{}, err
	}
	res, err := readResult(file)
	if errors.Is(err, fs.ErrNotExist) {
		// The machine ended before the suite did, which is a finding.
		res = lostResult(s, dir, lost)
		res.Seconds = int(time.Since(begun).Seconds())
		err = writeResult(file, res)
	}
	return res, err
}

// boot runs the suite's machine. Its output is kept beside the result. The text
// says how the machine ended, "" when the guest was through.
func (r runner) boot(s suite, dir string) (string, error) {
	apkern := os.Getenv("APKERN")
	if apkern == "" {
		apkern = "bin/apkern"
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	log, err := os.Create(filepath.Join(dir, "guest.log"))
	if err != nil {
		return "", err
	}
	defer log.Close()
	limit := bootLimit + 2*maxTries*(s.limit+killLimit)
	args := []string{"vm", "run", "--cpus", "4", "--memory", "3G", "--timeout", limit.String(), "--dir", dir}
	if r.params != "" {
		args = append(args, "--module-params", r.params)
	}
	cmd := exec.Command(apkern, append(args, "--", self, "guest", s.name, dir)...)
	cmd.Stdout, cmd.Stderr = log, log
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", err
	}
	switch {
	case err == nil:
		return "", nil
	case exit.ExitCode() == clockStatus:
		return "", errClock
	}
	return err.Error(), nil
}

// writeResult writes a file that has its name only when it is whole.
func writeResult(file string, res result) error {
	text, err := json.MarshalIndent(res, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

func readResult(file string) (result, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return result{}, err
	}
	var res result
	if err := json.Unmarshal(text, &res); err != nil {
		return result{}, fmt.Errorf("%s: %w", file, err)
	}
	return res, nil
}

// lostResult is the result of a suite whose machine ended early: which side ran
// shows by the files that are there.
func lostResult(s suite, dir, how string) result {
	res := result{Suite: s.name, Cases: map[string]*history{}}
	if text, err := os.ReadFile(filepath.Join(dir, "guest.log")); err == nil {
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		how += ", " + lines[len(lines)-1]
	}
	h := &history{Native: []string{pass}, Adopted: []string{"lost: " + how}}
	if _, err := os.Stat(filepath.Join(dir, outputName(adopted, 1))); err != nil {
		h = &history{Native: []string{"lost: " + how}, Adopted: []string{absent}}
	}
	res.Cases[machineCase] = h
	return res
}
