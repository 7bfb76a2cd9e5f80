package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// runShow prints what google/pprof's merge of profiles says, so that two of the
// same content are the same text: merges of the same profiles in another order
// number and sort what they have in other ways. Comments are no content.
func runShow(_ context.Context, args []string, _ io.Reader, stdout io.Writer) error {
	if len(args) == 0 {
		return errors.New("no profile")
	}
	var profiles []*profile.Profile
	for _, path := range args {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		parsed, err := profile.Parse(file)
		file.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		profiles = append(profiles, parsed)
	}
	sum, err := profile.Merge(profiles)
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, content(sum))
	return err
}

func content(p *profile.Profile) string {
	var header strings.Builder
	for _, kind := range p.SampleType {
		fmt.Fprintf(&header, "values %s/%s\n", kind.Type, kind.Unit)
	}
	if p.PeriodType != nil {
		fmt.Fprintf(&header, "every %d %s/%s\n", p.Period, p.PeriodType.Type, p.PeriodType.Unit)
	}
	fmt.Fprintf(&header, "from %d for %d\ndrop %q keep %q\n", p.TimeNanos, p.DurationNanos, p.DropFrames, p.KeepFrames)
	// The first mapping is the program; the others are in the order of the inputs.
	if len(p.Mapping) > 0 {
		fmt.Fprintf(&header, "program %s\n", mapping(p.Mapping[0]))
	}
	samples := make([]string, 0, len(p.Sample))
	for _, s := range p.Sample {
		samples = append(samples, sample(s))
	}
	slices.Sort(samples)
	return header.String() + strings.Join(samples, "\n") + "\n"
}

func sample(s *profile.Sample) string {
	var text strings.Builder
	for _, l := range s.Location {
		fmt.Fprintf(&text, "%s at %x folded %t:", mapping(l.Mapping), l.Address, l.IsFolded)
		for _, line := range l.Line {
			f := line.Function
			fmt.Fprintf(&text, " %s (%s) %s:%d from %d column %d", f.Name, f.SystemName, f.Filename, line.Line, f.StartLine, line.Column)
		}
		text.WriteString("; ")
	}
	// Maps print in the order of their keys.
	return fmt.Sprintf("%s %v %v %v = %v", text.String(), s.Label, s.NumLabel, s.NumUnit, s.Value)
}

// mapping names one by what it is of: where it starts is normalised by a merge.
func mapping(m *profile.Mapping) string {
	if m == nil {
		return "nowhere"
	}
	return fmt.Sprintf("%s %s %x-%x+%x", m.File, m.BuildID, m.Start, m.Limit, m.Offset)
}
