package main

import (
	"slices"
	"testing"
)

// The worked examples, with results that were worked out by hand.
func TestWorkedExamples(t *testing.T) {
	want := map[string][]string{
		"leaf":         {"1: h;main", "2: h;main", "4: h;main"},
		"root":         {"1: a;main", "2: rt", "4: main"},
		"inlined":      {"1: h;main", "2: h;main", "4: h"},
		"unanchored":   {"1: x;h", "2: h;main"},
		"nearest-root": {"1: D"},
		"keep":         {"1: main", "2: lib.keep;main"},
		"simplified":   {"1: main", "2: main", "4: x;(anonymous namespace)::f(int);main"},
	}
	for _, e := range examples {
		stacks, ok := want[e.name]
		if !ok {
			continue
		}
		delete(want, e.name)
		p, err := evaluate([][]byte{cpu(nil, e.stacks...)}, e.rules)
		if err != nil {
			t.Errorf("%s: %v", e.name, err)
		} else if have := toStacks(p); !slices.Equal(have, stacks) {
			t.Errorf("%s: %q, want %q", e.name, have, stacks)
		}
	}
	for name := range want {
		t.Errorf("there is no example %s", name)
	}
}

func TestStacksThereAndBack(t *testing.T) {
	stacks := []string{"1: leaf;caller/outer;root", "-2: root", "0: leaf;leaf"}
	if have := toStacks(fromStacks(stacks...)); !slices.Equal(have, stacks) {
		t.Errorf("%q, want %q", have, stacks)
	}
}

// An input that only repeats another, or that a change left without effect,
// would prove nothing.
func TestProbesDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, p := range probes() {
		key := ""
		for _, in := range p.inputs {
			key += digest(in)
		}
		for _, s := range p.steps {
			key += s.Op
			for _, rx := range []*string{s.Drop, s.Keep} {
				if rx != nil {
					key += "\x00" + *rx
				}
			}
		}
		if other, ok := seen[key]; ok {
			t.Errorf("%s asks the same as %s", p.name, other)
		}
		seen[key] = p.name
	}
}
