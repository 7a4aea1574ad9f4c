//go:build manpages

package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// The generator of manual pages is not in the command that is installed, only
// in the one that the packages are made with: it would bring a Markdown parser.
func init() {
	moreCommands = append(moreCommands, func() *cobra.Command {
		return &cobra.Command{
			Use:    "manpages DIR",
			Short:  "write the manual page of each command to DIR",
			Hidden: true,
			Args:   cobra.ExactArgs(1),
			RunE:   func(c *cobra.Command, args []string) error { return writeManPages(c.Root(), args[0]) },
		}
	})
}

func writeManPages(root *cobra.Command, dir string) error {
	// Pages about completion would be the longest of all.
	root.CompletionOptions.HiddenDefaultCmd = true
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Hidden = true
		}
	}
	root.DisableAutoGenTag = true // it has the date
	header := &doc.GenManHeader{Section: "1", Source: "apkern " + release, Manual: "apkern"}
	return doc.GenManTree(root, header, dir)
}
