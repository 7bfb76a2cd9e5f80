package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const fixtures = "../fixtures/profiles"

// The table in the fixtures' README is what the reference says of the files.
func TestReadmeOfFixtures(t *testing.T) {
	rows := readme(t)
	for _, name := range topLevel {
		data, p := parsed(t, name)
		view := preprofileOf(data)
		if view.Error != "" {
			t.Fatalf("%s: %s", name, view.Error)
		}
		raw := describe(name, data).RawBytes
		want := fmt.Sprintf("| %d | %d | %d | %d | %d | %d | %s |",
			len(data), raw, p.samples, p.locations, p.functions, *view.Edges, view.SHA256[:12])
		if row := rows[name]; !strings.HasSuffix(row, want) {
			t.Errorf("%s: %q, want it to end in %q", name, row, want)
		}
	}
	data, p := parsed(t, "legacy-gobench.cpu")
	want := fmt.Sprintf("| %d | %d | %d | %d | %d | refused | - |", len(data), len(data), p.samples, p.locations, p.functions)
	if row := rows["legacy-gobench.cpu"]; !strings.HasSuffix(row, want) {
		t.Errorf("%q, want it to end in %q", row, want)
	}
}

// The hello-app rows give sizes, samples and edges of several files at once.
func TestReadmeOfHelloApp(t *testing.T) {
	rows := readme(t)
	for row, names := range map[string][]string{
		"a-1 .. a-5.pprof": helloA, "b-1 .. b-3.pprof": helloOther[:3], "labels-1, labels-2.pprof": helloOther[3:],
	} {
		var sizes, samples, edges []string
		for _, name := range names {
			data, p := parsed(t, name)
			sizes = append(sizes, fmt.Sprint(len(data)))
			samples = append(samples, fmt.Sprint(p.samples))
			view := preprofileOf(data)
			if view.Error != "" {
				t.Fatalf("%s: %s", name, view.Error)
			}
			edges = append(edges, fmt.Sprint(*view.Edges))
		}
		want := fmt.Sprintf("| %s | %s | %s |", strings.Join(sizes, ", "), strings.Join(samples, ", "), strings.Join(edges, ", "))
		if !strings.HasSuffix(rows[row], want) {
			t.Errorf("%s: %q, want it to end in %q", row, rows[row], want)
		}
	}
	for _, name := range wrongKinds[1:] {
		data, p := parsed(t, name)
		want := fmt.Sprintf("| %d | %d | refused |", len(data), p.samples)
		if row := rows[filepath.Base(name)]; !strings.HasSuffix(row, want) || preprofileOf(data).Error == "" {
			t.Errorf("%s: %q, want it to end in %q", name, row, want)
		}
	}
}

// Every recorded profile is asked about.
func TestNoFixtureIsLeftOut(t *testing.T) {
	known := map[string]bool{}
	for _, path := range recordedProfiles() {
		known[strings.TrimPrefix(path, "profiles/")] = true
	}
	for _, pattern := range []string{"*.p*", "*.cpu", "*/*.p*"} {
		files, err := filepath.Glob(filepath.Join(fixtures, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name, err := filepath.Rel(fixtures, file)
			if err != nil || !known[filepath.ToSlash(name)] {
				t.Errorf("no case asks about %s (%v)", name, err)
			}
			delete(known, filepath.ToSlash(name))
		}
	}
	for name := range known {
		t.Errorf("%s is missing", name)
	}
}

type counts struct{ samples, locations, functions int }

func parsed(t *testing.T, name string) ([]byte, counts) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixtures, name))
	if err != nil {
		t.Fatal(err)
	}
	p, err := evaluate([][]byte{data}, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return data, counts{len(p.Sample), len(p.Location), len(p.Function)}
}

var firstCell = regexp.MustCompile(`^\| ([^|]+) \|`)

// readme is the rows of its tables, by their first cell.
func readme(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(fixtures, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if m := firstCell.FindStringSubmatch(line); m != nil {
			rows[m[1]] = line
		}
	}
	return rows
}
