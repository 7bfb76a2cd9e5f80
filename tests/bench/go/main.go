// Command reference is the Go side of tests/bench/versus-go: the loop of the Go
// original's worker around google/pprof, one job a process.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// A report is what a job says on stdout. src/job.rs says the same.
type report struct {
	// Nanos is how long a timed pass took.
	Nanos int64 `json:"nanos"`
	// PeakBytes is the most memory that the process ever had, after the first pass.
	PeakBytes int64 `json:"peak_bytes"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "version":
			fmt.Printf("%s, google/pprof %s, GOMAXPROCS %d\n", runtime.Version(), pprofVersion(), runtime.GOMAXPROCS(0))
			return nil
		case "idle":
			return idle(args[1:])
		case "fold":
			return fold(args[1:])
		}
	}
	return errors.New("usage: reference version | idle FILE... | fold [-uploads N] [-warm] -out FILE UPLOAD BASE")
}

// idle reads the inputs and does nothing: what the process costs without the work.
func idle(paths []string) error {
	inputs, err := readAll(paths)
	if err != nil {
		return err
	}
	peak, err := peakBytes()
	if err != nil {
		return err
	}
	runtime.KeepAlive(inputs)
	return json.NewEncoder(os.Stdout).Encode(report{PeakBytes: peak})
}

// fold adds an upload to a base, and again to what came of it, as often as asked.
func fold(args []string) error {
	flags := flag.NewFlagSet("fold", flag.ContinueOnError)
	uploads := flags.Int("uploads", 1, "how often the upload is folded in")
	warm := flags.Bool("warm", false, "do it for a while before it is timed")
	out := flags.String("out", "", "where the last base goes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	inputs, err := readAll(flags.Args())
	if err != nil {
		return err
	}
	if len(inputs) != 2 || *uploads < 1 || *out == "" {
		return errors.New("fold takes an upload, a base, an -out and a number of uploads from 1 on")
	}
	return measure(*warm, *out, func() ([]byte, error) {
		base := inputs[1]
		for range *uploads {
			if base, err = foldOne(inputs[0], base); err != nil {
				return nil, err
			}
		}
		return base, nil
	})
}

// foldOne is what the original's worker does with a message: the upload is
// parsed first, and comes first in the merge.
func foldOne(upload, base []byte) ([]byte, error) {
	newest, err := profile.Parse(bytes.NewReader(upload))
	if err != nil {
		return nil, fmt.Errorf("parsing the upload: %w", err)
	}
	old, err := profile.Parse(bytes.NewReader(base))
	if err != nil {
		return nil, fmt.Errorf("parsing the base: %w", err)
	}
	merged, err := profile.Merge([]*profile.Profile{newest, old})
	if err != nil {
		return nil, fmt.Errorf("merging: %w", err)
	}
	var written bytes.Buffer
	if err := merged.Write(&written); err != nil {
		return nil, fmt.Errorf("writing: %w", err)
	}
	return written.Bytes(), nil
}

// while is how long a job is done before it is timed, and how long it is timed,
// at least: a processor takes tenths of a second to get up to its speed, and a
// worker runs for days.
const while = time.Second

// measure takes the peak of the first pass, so that garbage of an earlier one is
// not held against it, and, when warm, the median time of later ones.
func measure(warm bool, out string, pass func() ([]byte, error)) error {
	var result []byte
	timed := func() (took time.Duration, err error) {
		start := time.Now()
		result, err = pass()
		return time.Since(start), err
	}
	took, err := timed()
	if err != nil {
		return err
	}
	peak, err := peakBytes()
	if err != nil {
		return err
	}
	times := []time.Duration{took}
	if warm {
		for spent := took; spent < while; spent += took {
			if took, err = timed(); err != nil {
				return err
			}
		}
		times = nil
		for spent := time.Duration(0); spent < while; spent += took {
			if took, err = timed(); err != nil {
				return err
			}
			times = append(times, took)
		}
	}
	if err := os.WriteFile(out, result, 0o666); err != nil {
		return err
	}
	slices.Sort(times)
	return json.NewEncoder(os.Stdout).Encode(report{Nanos: times[len(times)/2].Nanoseconds(), PeakBytes: peak})
}

// peakBytes is VmHWM, which Linux keeps for each process (proc(5)).
func peakBytes() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("reading the process's own peak memory, which needs Linux: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kilobytes * 1024, err
		}
	}
	return 0, errors.New("/proc/self/status has no VmHWM")
}

func readAll(paths []string) ([][]byte, error) {
	var all [][]byte
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func pprofVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			if dependency.Path == "github.com/google/pprof" {
				return dependency.Version
			}
		}
	}
	return "unknown"
}
