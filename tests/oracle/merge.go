package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// runMerge writes google/pprof's merge of files, compressed as it compresses.
func runMerge(args []string, _ io.Reader, _ io.Writer) error {
	if len(args) < 2 {
		return errors.New("usage: oracle merge OUT A [B...]")
	}
	var inputs [][]byte
	for _, path := range args[1:] {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		inputs = append(inputs, data)
	}
	p, err := evaluate(inputs, steps(merge))
	if err != nil {
		return fmt.Errorf("merging %d profiles: %w", len(inputs), err)
	}
	out, err := os.Create(args[0])
	if err != nil {
		return err
	}
	if err := p.Write(out); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
