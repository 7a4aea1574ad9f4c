// Command kimage builds the application kernel's blob, which the module
// embeds: link, gates, post-link changes. Run it in the module's root.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"apkern/internal/kimage"
)

func main() {
	blob := flag.String("o", "build/kernel.blob", "the blob")
	elf := flag.String("elf", "", "the linked image with symbols (default: the blob's name with .elf)")
	dir := flag.String("C", ".", "root of the source tree")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "kimage: no arguments are expected, only flags; got %q\n", flag.Arg(0))
		os.Exit(2)
	}
	if *elf == "" {
		*elf = strings.TrimSuffix(*blob, ".blob") + ".elf"
	}
	sum, err := kimage.Build(kimage.Config{Dir: *dir, ELF: *elf, Blob: *blob})
	if err != nil {
		fmt.Fprintf(os.Stderr, "kimage: %v\n", err)
		os.Exit(1)
	}
	fmt.Printf("kimage: %s: %v\n", *blob, sum)
}
