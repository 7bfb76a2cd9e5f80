package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// preprofile returns the text that `go tool preprofile` makes of a profile:
// the only thing the compiler ever sees of it. The error is the tool's own.
func preprofile(data []byte) ([]byte, error) {
	tool, err := preprofileTool()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "oracle-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	in, out := filepath.Join(dir, "in.pgo"), filepath.Join(dir, "out.preprofile")
	if err := os.WriteFile(in, data, 0o600); err != nil {
		return nil, err
	}
	var stderr bytes.Buffer
	cmd := exec.Command(tool, "-o", out, "-i", in)
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return nil, toolError(stderr.String(), err)
	}
	return os.ReadFile(out)
}

// edges counts the call edges in a preprofile text: three lines each, after the
// header.
func edges(text []byte) int {
	return (bytes.Count(text, []byte("\n")) - 1) / 3
}

// preprofileTool asks the go command for the tool's path, once: it builds the
// tool first where the distribution does not ship it. The command is the tests'
// own where they name one, which may be on no PATH.
var preprofileTool = sync.OnceValues(func() (string, error) {
	var stderr bytes.Buffer
	cmd := exec.Command(cmp.Or(os.Getenv("AUTOPGO_TEST_GO"), "go"), "tool", "-n", "preprofile")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("finding `go tool preprofile` (Go 1.23 or later): %w: %s", err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
})

var goPanic = regexp.MustCompile(`(?m)^panic: .*$`)

// toolError reduces the tool's standard error to what does not depend on the
// machine: a refusal is one line, a crash is named by its panic.
func toolError(stderr string, err error) error {
	if line := goPanic.FindString(stderr); line != "" {
		return errors.New("crash: " + strings.TrimSpace(line))
	}
	if line, _, _ := strings.Cut(stderr, "\n"); line != "" {
		return errors.New(strings.TrimPrefix(line, "preprofile: "))
	}
	return err
}

// runPreprofile prints what sha256sum would: the digest of the text and the file.
func runPreprofile(args []string, _ io.Reader, stdout io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: oracle preprofile FILE")
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	text, err := preprofile(data)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	_, err = fmt.Fprintln(stdout, digest(text))
	return err
}
