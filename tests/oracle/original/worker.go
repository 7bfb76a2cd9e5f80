package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/pprof/profile"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
)

func runWork(ctx context.Context, args []string, _ io.Reader, stdout io.Writer) error {
	if err := exactly(3, args); err != nil {
		return err
	}
	bucket, err := openBucket(ctx, args[0])
	if err != nil {
		return err
	}
	defer bucket.Close()
	w, err := openWriter(ctx, args[2])
	if err != nil {
		return err
	}
	err = read(ctx, args[1], stdout, func(ctx context.Context, wrapped envelope, _ *pubsub.Message) error {
		e, err := decode(wrapped.Type, wrapped.Payload)
		if err != nil {
			return err
		}
		if err := work(ctx, bucket, w, e); err != nil {
			return err
		}
		_, err = fmt.Fprintln(stdout, wrapped.Type, wrapped.ID)
		return err
	})
	return errors.Join(err, w.close())
}

// work does what an event asks for. Each can come again.
func work(ctx context.Context, bucket *blob.Bucket, w *writer, e event) error {
	switch e := e.(type) {
	case uploaded:
		return fold(ctx, bucket, w, e)
	case merged:
		return remove(ctx, bucket, e.ProfileKey)
	case deleted:
		return each(ctx, bucket, e.App+"/", func(object *blob.ListObject) error {
			return remove(ctx, bucket, object.Key)
		})
	}
	return nil
}

// fold merges an upload, first, with the base, and writes the base whatever has
// become of it meanwhile.
func fold(ctx context.Context, bucket *blob.Bucket, w *writer, e uploaded) error {
	added, err := parse(ctx, bucket, e.ProfileKey)
	if added == nil || err != nil {
		return err
	}
	profiles := []*profile.Profile{added}
	base, err := parse(ctx, bucket, baseOf(e.App))
	if err != nil {
		return err
	}
	if base != nil {
		profiles = append(profiles, base)
	}
	sum, err := profile.Merge(profiles)
	if err != nil {
		return err
	}
	if err := store(ctx, bucket, baseOf(e.App), sum.Write); err != nil {
		return err
	}
	_, err = w.write(ctx, merged{e.App, e.ProfileKey, baseOf(e.App)})
	return err
}

// parse reads a profile; nil if there is none.
func parse(ctx context.Context, bucket *blob.Bucket, key string) (*profile.Profile, error) {
	object, err := bucket.NewReader(ctx, key, &blob.ReaderOptions{})
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer object.Close()
	return profile.Parse(object)
}

func remove(ctx context.Context, bucket *blob.Bucket, key string) error {
	if err := bucket.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return err
	}
	return nil
}
