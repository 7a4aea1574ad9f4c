// Package guest holds the tests that need a running module: they are compiled
// with go test -c and run as root inside a virtual machine, one process for each
// boot that ../run-vm.sh makes. Its tests run the programs of ../programs and
// others that a Debian system has, and look at what the module tells in sysfs.
//
// A test never skips because of where it runs: the boot's list of tests says what
// belongs there, and everything named must pass.
package guest
