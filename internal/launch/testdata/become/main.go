// Become executes its arguments by launch.Exec.
package main

import (
	"fmt"
	"os"
	"runtime"

	"apkern/internal/launch"
)

func main() {
	runtime.LockOSThread()
	file, err := launch.Find(os.Args[1], os.Getenv("PATH"), ".")
	if err == nil {
		err = launch.Exec(file, os.Args[1:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(launch.Status(err))
}
