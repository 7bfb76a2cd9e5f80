package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/google/pprof/profile"
)

// maxRawBytes bounds what a gzip input may inflate to, because google/pprof
// itself would inflate a bomb until the process dies.
const maxRawBytes = 512 << 20

// A Step is one operation on the profiles at hand. The state is a list of
// profiles, at first the inputs: "merge" replaces the list by one profile,
// "prune" applies one rule to every profile in it, without compacting.
type Step struct {
	Op   string  `json:"op"`
	Drop *string `json:"drop,omitempty"`
	Keep *string `json:"keep,omitempty"`
}

var merge = Step{Op: "merge"}

func prune(drop string) Step           { return Step{Op: "prune", Drop: &drop} }
func pruneKeep(drop, keep string) Step { return Step{Op: "prune", Drop: &drop, Keep: &keep} }

// evaluate parses the inputs (gzip or not), takes the steps and returns the
// one profile that must remain. A panic of google/pprof comes back as an error.
func evaluate(inputs [][]byte, steps []Step) (p *profile.Profile, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("panic: %v", r)
		}
	}()
	profiles, err := parseAll(inputs)
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		if profiles, err = s.apply(profiles); err != nil {
			return nil, err
		}
	}
	if len(profiles) != 1 {
		return nil, fmt.Errorf("%d profiles are left after the steps: merge them into one", len(profiles))
	}
	return profiles[0], nil
}

// write encodes a profile as google/pprof does, before gzip.
func write(p *profile.Profile) (raw []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			raw, err = nil, fmt.Errorf("panic: %v", r)
		}
	}()
	var b bytes.Buffer
	if err := p.WriteUncompressed(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (s Step) apply(profiles []*profile.Profile) ([]*profile.Profile, error) {
	switch s.Op {
	case "merge":
		p, err := profile.Merge(profiles)
		if err != nil {
			return nil, err
		}
		return []*profile.Profile{p}, nil
	case "prune":
		drop, keep, err := s.rule()
		if err != nil {
			return nil, err
		}
		for _, p := range profiles {
			p.Prune(drop, keep)
		}
		return profiles, nil
	}
	return nil, fmt.Errorf("no such step %q: use merge or prune", s.Op)
}

func (s Step) rule() (drop, keep *regexp.Regexp, err error) {
	if s.Drop == nil {
		return nil, nil, errors.New("a prune step without drop")
	}
	if drop, err = regexp.Compile(*s.Drop); err != nil {
		return nil, nil, err
	}
	if s.Keep != nil {
		keep, err = regexp.Compile(*s.Keep)
	}
	return drop, keep, err
}

func parseAll(inputs [][]byte) ([]*profile.Profile, error) {
	profiles := make([]*profile.Profile, 0, len(inputs))
	for _, data := range inputs {
		if err := checkSize(data); err != nil {
			return nil, err
		}
		p, err := profile.ParseData(data)
		if err != nil {
			return nil, err
		}
		profiles = append(profiles, p)
	}
	return profiles, nil
}

// checkSize refuses a gzip input that inflates past maxRawBytes. What is no
// valid gzip passes: its error is google/pprof's to give.
func checkSize(data []byte) error {
	n, err := io.Copy(io.Discard, io.LimitReader(inflater(data), maxRawBytes+1))
	if err == nil && n > maxRawBytes {
		return fmt.Errorf("the input inflates to more than %d bytes", maxRawBytes)
	}
	return nil
}

// inflater reads gzip data inflated and other data as it is.
func inflater(data []byte) io.Reader {
	if len(data) >= 2 && data[0] == 0x1f && data[1] == 0x8b {
		if zr, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
			return zr
		}
	}
	return bytes.NewReader(data)
}
