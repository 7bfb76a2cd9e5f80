package main

import (
	"fmt"
	"strings"

	"github.com/google/pprof/profile"
)

// Stacks are samples a reader can check: "3: leaf;caller/outer;root" is a
// sample of value 3, frames from leaf to root, "caller/outer" one location with
// caller inlined into outer.

// fromStacks builds a CPU profile of such samples. Equal frames are one
// location, equal names one function.
func fromStacks(stacks ...string) *profile.Profile {
	b := stackBuilder{
		p: &profile.Profile{
			SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
			PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"},
			Period:     10_000_000,
			Mapping:    []*profile.Mapping{{ID: 1, Start: 0x400000, Limit: 0x500000, File: "/app", HasFunctions: true}},
		},
		locations: map[string]*profile.Location{},
		functions: map[string]*profile.Function{},
	}
	for _, s := range stacks {
		b.sample(s)
	}
	return b.p
}

// toStacks is the way back, of the first value of each sample.
func toStacks(p *profile.Profile) []string {
	stacks := []string{}
	for _, s := range p.Sample {
		frames := make([]string, len(s.Location))
		for i, l := range s.Location {
			names := make([]string, len(l.Line))
			for j, line := range l.Line {
				names[j] = line.Function.Name
			}
			frames[i] = strings.Join(names, "/")
		}
		stacks = append(stacks, fmt.Sprintf("%d: %s", s.Value[0], strings.Join(frames, ";")))
	}
	return stacks
}

type stackBuilder struct {
	p         *profile.Profile
	locations map[string]*profile.Location
	functions map[string]*profile.Function
}

func (b *stackBuilder) sample(stack string) {
	var n int64
	value, frames, _ := strings.Cut(stack, ": ")
	if _, err := fmt.Sscan(value, &n); err != nil {
		panic(fmt.Sprintf("stack %q: %v", stack, err))
	}
	s := &profile.Sample{Value: []int64{n, n * 10_000_000}}
	for _, frame := range strings.Split(frames, ";") {
		s.Location = append(s.Location, b.location(frame))
	}
	b.p.Sample = append(b.p.Sample, s)
}

func (b *stackBuilder) location(frame string) *profile.Location {
	if l, ok := b.locations[frame]; ok {
		return l
	}
	id := uint64(len(b.p.Location) + 1)
	l := &profile.Location{ID: id, Mapping: b.p.Mapping[0], Address: 0x400000 + id*0x10}
	for i, name := range strings.Split(frame, "/") {
		f := b.function(name)
		l.Line = append(l.Line, profile.Line{Function: f, Line: f.StartLine + int64(i) + 1})
	}
	b.locations[frame] = l
	b.p.Location = append(b.p.Location, l)
	return l
}

func (b *stackBuilder) function(name string) *profile.Function {
	if f, ok := b.functions[name]; ok {
		return f
	}
	id := uint64(len(b.p.Function) + 1)
	f := &profile.Function{ID: id, Name: name, SystemName: name, Filename: "app.go", StartLine: int64(id) * 10}
	b.functions[name] = f
	b.p.Function = append(b.p.Function, f)
	return f
}
