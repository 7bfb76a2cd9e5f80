package main

import (
	"bytes"
	"fmt"

	"github.com/google/pprof/profile"
)

// A probe is a case on tiny inputs made here, for one rule of the reference
// that recorded profiles do not show.
type probe struct {
	name, note string
	inputs     [][]byte
	steps      []Step
}

// probes lists them all, by subject.
func probes() []probe {
	var all []probe
	for _, part := range [][]probe{
		exampleProbes(), headerProbes(), sampleProbes(), labelProbes(), tableProbes(),
		wireProbes(), brokenProbes(), gzipProbes(), legacyProbes(),
	} {
		all = append(all, part...)
	}
	return all
}

// synthesize names the inputs of all probes, equal ones once, and makes the cases.
func synthesize() (inputs []File, data map[string][]byte, cases []Case) {
	data = map[string][]byte{}
	byContent := map[string]string{}
	for _, p := range probes() {
		c := Case{Name: p.name, Note: p.note, Inputs: []string{}, Steps: p.steps}
		for i, raw := range p.inputs {
			path, known := byContent[string(raw)]
			if !known {
				path = inputPath(p, i)
				byContent[string(raw)] = path
				data[path] = raw
				inputs = append(inputs, describe(path, raw))
			}
			c.Inputs = append(c.Inputs, path)
		}
		cases = append(cases, c)
	}
	return inputs, data, cases
}

func inputPath(p probe, i int) string {
	name := string(bytes.ReplaceAll([]byte(p.name), []byte("/"), []byte("-")))
	if len(p.inputs) > 1 {
		name = fmt.Sprintf("%s-%d", name, i+1)
	}
	return "golden/inputs/" + name + ".pprof"
}

// encoded is a profile's bytes before gzip. It panics on what only a mistake in
// this program can cause.
func encoded(p *profile.Profile) []byte {
	raw, err := write(p)
	if err != nil {
		panic(err)
	}
	return raw
}

// cpu is a small CPU profile of these stacks, changed as the probe needs it.
func cpu(change func(*profile.Profile), stacks ...string) []byte {
	p := fromStacks(stacks...)
	if change != nil {
		change(p)
	}
	return encoded(p)
}
