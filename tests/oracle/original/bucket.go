package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob"
)

// openBucket opens a bucket, and asks for its first object as the original does
// at its start.
func openBucket(ctx context.Context, url string) (*blob.Bucket, error) {
	bucket, err := blob.OpenBucket(ctx, url)
	if err != nil {
		return nil, err
	}
	if _, err := bucket.IsAccessible(ctx); err != nil {
		return nil, errors.Join(err, bucket.Close())
	}
	return bucket, nil
}

// store writes an object.
func store(ctx context.Context, bucket *blob.Bucket, key string, write func(io.Writer) error) error {
	object, err := bucket.NewWriter(ctx, key, &blob.WriterOptions{})
	if err != nil {
		return err
	}
	if err := write(object); err != nil {
		return errors.Join(err, object.Close())
	}
	return object.Close()
}

func runPut(ctx context.Context, args []string, stdin io.Reader, _ io.Writer) error {
	if err := exactly(2, args); err != nil {
		return err
	}
	bucket, err := openBucket(ctx, args[0])
	if err != nil {
		return err
	}
	defer bucket.Close()
	return store(ctx, bucket, args[1], func(object io.Writer) error {
		_, err := io.Copy(object, stdin)
		return err
	})
}

func runGet(ctx context.Context, args []string, _ io.Reader, stdout io.Writer) error {
	if err := exactly(2, args); err != nil {
		return err
	}
	bucket, err := openBucket(ctx, args[0])
	if err != nil {
		return err
	}
	defer bucket.Close()
	object, err := bucket.NewReader(ctx, args[1], &blob.ReaderOptions{})
	if err != nil {
		return err
	}
	defer object.Close()
	_, err = io.Copy(stdout, object)
	return err
}

// An entry is an object as list and stat print it.
type entry struct {
	Key         string            `json:"key"`
	Size        int64             `json:"size"`
	Modified    time.Time         `json:"modified"`
	ContentType string            `json:"contentType,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

func runStat(ctx context.Context, args []string, _ io.Reader, stdout io.Writer) error {
	if err := exactly(2, args); err != nil {
		return err
	}
	bucket, err := openBucket(ctx, args[0])
	if err != nil {
		return err
	}
	defer bucket.Close()
	known, err := bucket.Attributes(ctx, args[1])
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(entry{args[1], known.Size, known.ModTime, known.ContentType, known.Metadata})
}

// runList goes through the whole bucket, as the original does.
func runList(ctx context.Context, args []string, _ io.Reader, stdout io.Writer) error {
	if err := exactly(2, args); err != nil {
		return err
	}
	bucket, err := openBucket(ctx, args[0])
	if err != nil {
		return err
	}
	defer bucket.Close()
	out := json.NewEncoder(stdout)
	return each(ctx, bucket, args[1], func(object *blob.ListObject) error {
		return out.Encode(entry{Key: object.Key, Size: object.Size, Modified: object.ModTime})
	})
}

// each does something for every object whose key starts with prefix.
func each(ctx context.Context, bucket *blob.Bucket, prefix string, do func(*blob.ListObject) error) error {
	objects := bucket.List(&blob.ListOptions{})
	for {
		object, err := objects.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if object.IsDir || len(object.Key) < len(prefix) || object.Key[:len(prefix)] != prefix {
			continue
		}
		if err := do(object); err != nil {
			return err
		}
	}
}
