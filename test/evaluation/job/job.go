// Package job has what the two sides of the evaluation share: the command on the host,
// and process 1 of the machines, which are separate programs so that a change of one
// does not change what the other is measured with.
package job

import (
	"encoding/json"
	"fmt"
	"os"

	"apkern/internal/bench"
)

// System is a way to use the processors of a machine.
type System string

const (
	Uniprocessor System = "uniprocessor" // Linux without SMP
	SMP          System = "smp"          // the same Linux, built with it
	Apkern       System = "apkern"       // Linux without SMP; the other CPUs are application CPUs
)

// Job is what a machine is to do. It finds it in its initial RAM file system.
type Job struct {
	System System     `json:"system"`
	CPUs   int        `json:"cpus"`
	Params string     `json:"params"` // of the module
	Plan   bench.Plan `json:"plan"`
}

// Name is that of the machine, and of its directory of samples.
func (j *Job) Name() string { return fmt.Sprintf("%s-%d", j.System, j.CPUs) }

// Where a machine finds things.
const (
	File        = "/job.json"
	ProgramsDir = "/bin"
	ScratchDir  = "/scratch" // what package runner fills
	SourceFile  = "/source.i"
	Compiler    = "/bin/cc1"
	Outputs     = "/out/" // and a number: what a command wrote
)

// What a machine writes to its serial port, beside what Linux does.
const (
	RecordPrefix = "evaluation: " // and a record of package bench as JSON
	EndLine      = "evaluation ends"
)

// Read reads a job.
func Read(file string) (*Job, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var j Job
	return &j, json.Unmarshal(data, &j)
}
