package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
)

// A verdict is what Go makes of one pattern: an error, or the names it matches
// (an unanchored search, as prune rules use it).
type verdict struct {
	Pattern string   `json:"pattern"`
	Error   string   `json:"error,omitempty"`
	Matches []string `json:"matches"`
}

// runRegexp prints the table of all patterns and names, or with -check compares
// a file with it.
func runRegexp(args []string, _ io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("regexp", flag.ContinueOnError)
	check := flags.String("check", "", "a `file` to compare with the table")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 0 {
		return errors.New("usage: oracle regexp [-check FILE]")
	}
	table, err := regexpTable()
	if err != nil {
		return err
	}
	if *check == "" {
		_, err := stdout.Write(table)
		return err
	}
	have, err := os.ReadFile(*check)
	if err != nil {
		return err
	}
	if line := firstDifference(have, table); line > 0 {
		return fmt.Errorf("%s, line %d, is not what Go answers now: run golden.sh and read the diff", *check, line)
	}
	return nil
}

func regexpTable() ([]byte, error) {
	var verdicts []verdict
	seen := map[string]bool{}
	for _, group := range patterns {
		for _, p := range group {
			if seen[p] {
				return nil, fmt.Errorf("the pattern %q stands in the table twice", p)
			}
			seen[p] = true
			verdicts = append(verdicts, judge(p))
		}
	}
	var b bytes.Buffer
	b.WriteString("{\n\"names\": [")
	if err := appendLines(&b, names); err != nil {
		return nil, err
	}
	b.WriteString("],\n\"patterns\": [")
	if err := appendLines(&b, verdicts); err != nil {
		return nil, err
	}
	b.WriteString("]\n}\n")
	return b.Bytes(), nil
}

func judge(pattern string) verdict {
	v := verdict{Pattern: pattern, Matches: []string{}}
	rx, err := regexp.Compile(pattern)
	if err != nil {
		v.Error = err.Error()
		return v
	}
	for _, name := range names {
		if rx.MatchString(name) {
			v.Matches = append(v.Matches, name)
		}
	}
	return v
}
