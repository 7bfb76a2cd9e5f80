package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"time"

	"github.com/google/pprof/profile"
	"gocloud.dev/blob"
)

// baseOf is where the base profile of an application is.
func baseOf(app string) string { return path.Join(app, "default.pgo") }

func runUpload(ctx context.Context, args []string, _ io.Reader, stdout io.Writer) error {
	if len(args) < 4 {
		return errors.New("a bucket, a bus, an application and a file at least")
	}
	bucket, err := openBucket(ctx, args[0])
	if err != nil {
		return err
	}
	defer bucket.Close()
	w, err := openWriter(ctx, args[1])
	if err != nil {
		return err
	}
	for _, file := range args[3:] {
		key, err := upload(ctx, bucket, w, args[2], file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		fmt.Fprintln(stdout, key)
	}
	return w.close()
}

// upload parses a profile, writes it where it waits, in its own encoding, and
// tells of it.
func upload(ctx context.Context, bucket *blob.Bucket, w *writer, app, file string) (string, error) {
	opened, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer opened.Close()
	parsed, err := profile.Parse(opened)
	if err != nil {
		return "", err
	}
	key := path.Join(app, "staging", strconv.FormatInt(time.Now().UnixNano(), 10))
	if err := store(ctx, bucket, key, parsed.Write); err != nil {
		return "", err
	}
	_, err = w.write(ctx, uploaded{app, key})
	return key, err
}

// runDelete tells of a deletion if there is something to delete; workers do it.
func runDelete(ctx context.Context, args []string, _ io.Reader, _ io.Writer) error {
	if err := exactly(3, args); err != nil {
		return err
	}
	bucket, err := openBucket(ctx, args[0])
	if err != nil {
		return err
	}
	defer bucket.Close()
	there, err := bucket.Exists(ctx, baseOf(args[2]))
	if err != nil {
		return err
	}
	if !there {
		return fmt.Errorf("there is no profile of %s", args[2])
	}
	w, err := openWriter(ctx, args[1])
	if err != nil {
		return err
	}
	if _, err := w.write(ctx, deleted{args[2]}); err != nil {
		return err
	}
	return w.close()
}
