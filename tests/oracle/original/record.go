package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A fixture is a message as a bus has it, and the body that is in it.
type fixture struct {
	Why     string `json:"why"`
	Message any    `json:"message"`
	Body    string `json:"body"`
}

// A recorder publishes on one bus, to a server of its own that keeps what comes,
// and gives what to write under which names.
type recorder func(context.Context) (map[string]any, error)

// recorders lists the buses by their folders.
func recorders() map[string]recorder {
	return map[string]recorder{"nats": recordNats, "kafka": recordKafka, "gcppubsub": recordGoogle, "azuresb": recordAzure}
}

// An example is an event in an envelope that never changes.
type example struct {
	name    string
	wrapped envelope
	key     string
}

func examples() ([]example, error) {
	const app, upload = "hello-world", "hello-world/staging/1730075435311000000"
	var all []example
	for _, e := range []struct {
		name, id string
		event    event
	}{
		{"uploaded", "e9e23fa8-9d46-4c66-9190-2f64eacd73a2", uploaded{app, upload}},
		{"merged", "0d5b7c1e-4f0a-4a0e-9a55-0c2d8a3f1b11", merged{app, upload, baseOf(app)}},
		{"deleted", "7b0f6f1c-52f3-4c1d-8a57-5f1f0a4b9c22", deleted{app}},
	} {
		payload, err := json.Marshal(e.event)
		if err != nil {
			return nil, err
		}
		at := time.Date(2025, time.January, 2, 3, 4, 5, 123456789, time.UTC)
		all = append(all, example{e.name, envelope{ID: e.id, Timestamp: at, Type: e.event.kind(), Payload: payload}, e.event.key()})
	}
	return all, nil
}

// say publishes an example and gives its body.
func say(ctx context.Context, url string, metadata map[string]string, e example) (string, error) {
	w, err := openWriter(ctx, url)
	if err != nil {
		return "", err
	}
	w.metadata = metadata
	if err := w.send(ctx, e.wrapped, e.key); err != nil {
		return "", err
	}
	if err := w.close(); err != nil {
		return "", err
	}
	body, err := json.Marshal(e.wrapped)
	return string(body), err
}

func runRecord(ctx context.Context, args []string, _ io.Reader, stdout io.Writer) error {
	use := write
	if len(args) == 2 && args[0] == "-check" {
		use, args = compare, args[1:]
	}
	if err := exactly(1, args); err != nil {
		return err
	}
	all := recorders()
	for _, bus := range slices.Sorted(maps.Keys(all)) {
		files, err := all[bus](ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", bus, err)
		}
		for name, content := range files {
			var text bytes.Buffer
			out := json.NewEncoder(&text)
			out.SetEscapeHTML(false)
			out.SetIndent("", "  ")
			if err := out.Encode(content); err != nil {
				return err
			}
			if err := use(filepath.Join(args[0], bus, name+".json"), text.Bytes()); err != nil {
				return err
			}
		}
		fmt.Fprintln(stdout, bus, len(files))
	}
	return nil
}

func write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o666)
}

func compare(path string, text []byte) error {
	there, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(there, text) {
		return errors.New(path + " is not what is recorded now:\n" + string(text))
	}
	return nil
}
