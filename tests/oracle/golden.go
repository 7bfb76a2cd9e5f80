package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
)

// runGolden makes manifest.json and inputs/ in the out directory, or with
// -check compares what is there with what it would make.
func runGolden(args []string, _ io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("golden", flag.ContinueOnError)
	check := flags.Bool("check", false, "compare with what is there and write nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return errors.New("usage: oracle golden [-check] PROFILES OUT")
	}
	g := generator{profiles: flags.Arg(0)}
	outputs, err := g.generate()
	if err != nil {
		return err
	}
	out := flags.Arg(1)
	if *check {
		return outputs.compare(out)
	}
	fmt.Fprintf(stdout, "%d files\n", len(outputs))
	return outputs.write(out)
}

// generator turns the list of cases into golden files. Inputs are named
// "profiles/…" (recorded profiles) or "golden/inputs/…" (made here).
type generator struct {
	profiles  string
	synthetic map[string][]byte
}

func (g *generator) generate() (files, error) {
	m := Manifest{Pprof: pprofVersion()}
	for _, path := range recordedProfiles() {
		data, err := g.input(path)
		if err != nil {
			return nil, err
		}
		m.Files = append(m.Files, describe(path, data))
	}
	inputs, synthetic, cases := synthesize()
	g.synthetic = synthetic
	m.Files = append(m.Files, inputs...)
	named := map[string]bool{}
	for _, c := range append(append(recordedCases(), prunedCases()...), cases...) {
		if named[c.Name] {
			return nil, fmt.Errorf("two cases are named %s", c.Name)
		}
		named[c.Name] = true
		if err := g.answer(&c); err != nil {
			return nil, fmt.Errorf("case %s: %w", c.Name, err)
		}
		m.Cases = append(m.Cases, c)
	}
	outputs := files{}
	for path, data := range synthetic {
		outputs[strings.TrimPrefix(path, "golden/")] = data
	}
	text, err := m.encode()
	if err != nil {
		return nil, err
	}
	outputs["manifest.json"] = text
	return outputs, nil
}

// answer fills in what the reference makes of a case. Only a missing input is
// an error here: a refusal is an answer.
func (g *generator) answer(c *Case) error {
	if c.Steps == nil {
		c.Steps = []Step{}
	}
	var inputs [][]byte
	for _, path := range c.Inputs {
		data, err := g.input(path)
		if err != nil {
			return err
		}
		inputs = append(inputs, data)
	}
	p, err := evaluate(inputs, c.Steps)
	if err != nil {
		c.Error = withoutPointers(err)
		return nil
	}
	raw, err := write(p)
	if err != nil {
		c.Error = withoutPointers(err)
		return nil
	}
	c.Outcome = &Outcome{
		SHA256: digest(raw), Bytes: len(raw),
		Samples: len(p.Sample), Locations: len(p.Location), Functions: len(p.Function), Mappings: len(p.Mapping),
		Preprofile: preprofileOf(raw),
	}
	if len(c.Steps) == 0 {
		// Nothing was done to it: the compiler's view is of the file itself.
		c.Outcome.Preprofile = preprofileOf(inputs[0])
	}
	if isSynthetic(c.Inputs) {
		c.Stacks = toStacks(p)
	}
	return nil
}

var pointer = regexp.MustCompile(`\b0x[0-9a-f]+\b`)

// withoutPointers is the error without the addresses that google/pprof prints
// for sample types ("[0x… 0x…]"): they differ from run to run.
func withoutPointers(err error) string {
	return pointer.ReplaceAllString(err.Error(), "0x…")
}

func (g *generator) input(path string) ([]byte, error) {
	if data, ok := g.synthetic[path]; ok {
		return data, nil
	}
	name, ok := strings.CutPrefix(path, "profiles/")
	if !ok {
		return nil, fmt.Errorf("no such input: %s", path)
	}
	return os.ReadFile(filepath.Join(g.profiles, filepath.FromSlash(name)))
}

func isSynthetic(inputs []string) bool {
	return len(inputs) > 0 && strings.HasPrefix(inputs[0], "golden/")
}

func describe(path string, data []byte) File {
	f := File{Path: path, Bytes: len(data), SHA256: digest(data)}
	if raw, err := io.ReadAll(inflater(data)); err == nil {
		f.RawBytes, f.RawSHA256 = len(raw), digest(raw)
	}
	return f
}

// pprofVersion is the version this program was linked with.
func pprofVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/google/pprof" {
				return m.Path + "@" + m.Version
			}
		}
	}
	return "github.com/google/pprof"
}

// files are outputs by their path below the out directory, with slashes.
type files map[string][]byte

// write replaces inputs/ whole, so that no input outlives the case it was for.
func (f files) write(out string) error {
	if err := os.RemoveAll(filepath.Join(out, "inputs")); err != nil {
		return err
	}
	for name, data := range f {
		path := filepath.Join(out, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compare names the first thing that differs from what stands in out.
func (f files) compare(out string) error {
	for name, want := range f {
		have, err := os.ReadFile(filepath.Join(out, filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("%w: run golden.sh and commit what it writes", err)
		}
		if line := firstDifference(have, want); line > 0 {
			return fmt.Errorf("%s, line %d, is not what the reference answers now: run golden.sh and read the diff", name, line)
		}
	}
	present, err := filepath.Glob(filepath.Join(out, "inputs", "*"))
	if err != nil {
		return err
	}
	for _, path := range present {
		if _, ok := f["inputs/"+filepath.Base(path)]; !ok {
			return fmt.Errorf("inputs/%s belongs to no case: run golden.sh", filepath.Base(path))
		}
	}
	return nil
}

// firstDifference is the number of the first line that differs, 0 if none does.
func firstDifference(have, want []byte) int {
	if bytes.Equal(have, want) {
		return 0
	}
	a, b := bytes.Split(have, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(a), len(b)) {
		if !bytes.Equal(a[i], b[i]) {
			return i + 1
		}
	}
	return min(len(a), len(b)) + 1
}
