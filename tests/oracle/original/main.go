// Command original does with buses and buckets what the Go original does: the
// same packages of gocloud.dev in the same version, the same URLs, keys, events
// and ordering keys. Stories put it at one end of a bus and autopgo at the other.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// A command is one verb of the program. The context ends with the process.
type command struct {
	name, usage string
	run         func(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error
}

// commands lists the verbs in the order in which the usage shows them.
func commands() []command {
	return []command{
		{"upload", "upload BUCKET BUS APP FILE...   stage profiles and publish each, as its server does; print the keys", runUpload},
		{"delete", "delete BUCKET BUS APP           publish a deletion, as its server does", runDelete},
		{"work", "work BUCKET READER WRITER       merge and delete what events say, as its worker does, until told to stop", runWork},
		{"publish", "publish BUS                     publish the events on stdin, one JSON a line; print the envelopes", runPublish},
		{"consume", "consume BUS [N]                 say ready, then print N events, or all that come, one JSON a line", runConsume},
		{"put", "put BUCKET KEY                  write stdin to an object", runPut},
		{"get", "get BUCKET KEY                  write an object to stdout", runGet},
		{"stat", "stat BUCKET KEY                 print what is known of an object, as JSON", runStat},
		{"list", "list BUCKET PREFIX              print the objects whose keys start so, one JSON a line", runList},
		{"show", "show FILE...                    print google/pprof's merge of profiles, in an order of its own", runShow},
		{"make", "make kafka TOPIC PARTITIONS | make gcppubsub PROJECT TOPIC ordered|unordered SUBSCRIPTION...", runMake},
		{"record", "record [-check] FOLDER          write (or compare) what messages look like on each bus", runRecord},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := dispatch(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "original:", err)
		stop()
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) > 0 {
		for _, c := range commands() {
			if c.name == args[0] {
				return c.run(ctx, args[1:], stdin, stdout)
			}
		}
	}
	usage := "usage:"
	for _, c := range commands() {
		usage += "\n  original " + c.usage
	}
	return errors.New("no such command\n" + usage)
}

// exactly tells whether there are as many arguments as a command takes.
func exactly(n int, args []string) error {
	if len(args) != n {
		return fmt.Errorf("%d arguments, and not %d", len(args), n)
	}
	return nil
}
