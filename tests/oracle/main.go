// Command oracle answers with google/pprof and the Go toolchain what a correct
// pprof engine answers: once, as golden files, and live, over a pipe.
package main

import (
	"fmt"
	"io"
	"os"
)

// A command is one verb of the oracle.
type command struct {
	name, usage string
	run         func(args []string, stdin io.Reader, stdout io.Writer) error
}

// commands lists the verbs in the order in which the usage shows them.
func commands() []command {
	return []command{
		{"golden", "golden [-check] PROFILES OUT   write (or compare) OUT/manifest.json and OUT/inputs", runGolden},
		{"regexp", "regexp [-check FILE]           print (or compare) the table of patterns and names", runRegexp},
		{"diff", "diff                           answer requests from stdin on stdout until it ends", runDiff},
		{"merge", "merge OUT A [B...]             write google/pprof's merge of the files", runMerge},
		{"preprofile", "preprofile FILE                print the SHA-256 of `go tool preprofile`'s text", runPreprofile},
	}
}

func main() {
	if err := dispatch(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

func dispatch(args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) > 0 {
		for _, c := range commands() {
			if c.name == args[0] {
				return c.run(args[1:], stdin, stdout)
			}
		}
	}
	usage := "usage:"
	for _, c := range commands() {
		usage += "\n  oracle " + c.usage
	}
	return fmt.Errorf("no such command\n%s", usage)
}
