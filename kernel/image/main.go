// Command image is the application kernel's image: one for all application
// CPUs. The linker enters it at apkern/kernel/entry.Entry; no Go runtime is
// started and main is never called.
package main

import _ "apkern/kernel/entry"

func main() {}
