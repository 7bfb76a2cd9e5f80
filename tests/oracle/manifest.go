package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// A Manifest is the golden file: what google/pprof and `go tool preprofile`
// answered. README.md explains its fields to those who read it elsewhere.
type Manifest struct {
	Pprof string
	Files []File
	Cases []Case
}

// A File is an input as it stands in the tree, so that a changed fixture is
// told from a changed engine.
type File struct {
	Path      string `json:"path"`
	Bytes     int    `json:"bytes"`
	SHA256    string `json:"sha256"`
	RawBytes  int    `json:"raw_bytes,omitempty"`
	RawSHA256 string `json:"raw_sha256,omitempty"`
}

// A Case is inputs, steps and what comes of them: either Error or the rest.
type Case struct {
	Name   string   `json:"name"`
	Note   string   `json:"note,omitempty"`
	Inputs []string `json:"inputs"`
	Steps  []Step   `json:"steps"`

	Error string `json:"error,omitempty"`
	*Outcome
}

// An Outcome describes a profile by the bytes google/pprof writes for it before
// gzip, by its tables, and by what the compiler would see of it.
type Outcome struct {
	SHA256     string     `json:"sha256"`
	Bytes      int        `json:"bytes"`
	Samples    int        `json:"samples"`
	Locations  int        `json:"locations"`
	Functions  int        `json:"functions"`
	Mappings   int        `json:"mappings"`
	Preprofile Preprofile `json:"preprofile"`
	Stacks     []string   `json:"stacks,omitempty"`
}

// Preprofile is the digest of the tool's text and its edges, or the refusal.
type Preprofile struct {
	SHA256 string `json:"sha256,omitempty"`
	Edges  *int   `json:"edges,omitempty"`
	Error  string `json:"error,omitempty"`
}

func preprofileOf(data []byte) Preprofile {
	text, err := preprofile(data)
	if err != nil {
		return Preprofile{Error: err.Error()}
	}
	n := edges(text)
	return Preprofile{SHA256: digest(text), Edges: &n}
}

// encode writes one entry a line: short, and a change shows as one line of diff.
func (m Manifest) encode() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("{\n\"pprof\": ")
	if err := appendJSON(&b, m.Pprof); err != nil {
		return nil, err
	}
	b.WriteString(",\n\"files\": [")
	if err := appendLines(&b, m.Files); err != nil {
		return nil, err
	}
	b.WriteString("],\n\"cases\": [")
	if err := appendLines(&b, m.Cases); err != nil {
		return nil, err
	}
	b.WriteString("]\n}\n")
	return b.Bytes(), nil
}

func appendLines[T any](b *bytes.Buffer, entries []T) error {
	for i, e := range entries {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n")
		if err := appendJSON(b, e); err != nil {
			return err
		}
	}
	b.WriteByte('\n')
	return nil
}

// appendJSON leaves <, > and & as they are: names and patterns are full of them.
func appendJSON(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1)
	return nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
