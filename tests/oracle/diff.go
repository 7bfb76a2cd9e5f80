package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The pipe's framing, all numbers little-endian (README.md has it for clients):
//
//	request   u32 number of frames, then as many frames; the first is the
//	          JSON of a request, the others are its profiles
//	answer    one frame: '+' and the result, or '-' and the error
//	frame     u32 number of bytes, then the bytes
const (
	maxFrames     = 1 << 20
	maxFrameBytes = 1 << 30
)

// A request is what the first frame says.
type request struct {
	Steps []Step `json:"steps"`
	// Answer is "profile" (also by default) or "preprofile".
	Answer string `json:"answer"`
}

// runDiff answers until the input ends between two requests. Whatever is wrong
// with a request is its answer; only a broken frame ends the process, because
// nothing behind it can be read.
func runDiff(args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) != 0 {
		return errors.New("usage: oracle diff")
	}
	in, out := bufio.NewReaderSize(stdin, 1<<16), bufio.NewWriterSize(stdout, 1<<16)
	for {
		frames, err := readRequest(in)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading a request: %w", err)
		}
		if err := writeAnswer(out, frames); err != nil {
			return fmt.Errorf("writing an answer: %w", err)
		}
	}
}

// readRequest returns io.EOF only where a request would begin.
func readRequest(in io.Reader) ([][]byte, error) {
	n, err := readLength(in)
	if err != nil {
		return nil, err
	}
	if n > maxFrames {
		return nil, fmt.Errorf("%d frames are more than %d", n, maxFrames)
	}
	var frames [][]byte
	for range n {
		frame, err := readFrame(in)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		frames = append(frames, frame)
	}
	return frames, nil
}

func readFrame(in io.Reader) ([]byte, error) {
	n, err := readLength(in)
	if err != nil {
		return nil, err
	}
	if n > maxFrameBytes {
		return nil, fmt.Errorf("a frame of %d bytes is longer than %d", n, maxFrameBytes)
	}
	// Grows with what arrives, not with what is announced.
	var frame bytes.Buffer
	if _, err := io.CopyN(&frame, in, int64(n)); err != nil {
		return nil, err
	}
	return frame.Bytes(), nil
}

func readLength(in io.Reader) (uint32, error) {
	var b [4]byte
	_, err := io.ReadFull(in, b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

func writeAnswer(out *bufio.Writer, frames [][]byte) error {
	result, err := reply(frames)
	mark := byte('+')
	if err != nil {
		mark, result = '-', []byte(err.Error())
	}
	header := binary.LittleEndian.AppendUint32(nil, uint32(len(result)+1))
	for _, part := range [][]byte{header, {mark}, result} {
		if _, err := out.Write(part); err != nil {
			return err
		}
	}
	return out.Flush()
}

func reply(frames [][]byte) ([]byte, error) {
	if len(frames) == 0 {
		return nil, errors.New("a request without a frame")
	}
	var r request
	decoder := json.NewDecoder(bytes.NewReader(frames[0]))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return nil, fmt.Errorf("reading the request's JSON: %w", err)
	}
	profiles := frames[1:]
	switch r.Answer {
	case "", "profile":
		return rewritten(profiles, r.Steps)
	case "preprofile":
		if len(r.Steps) == 0 && len(profiles) == 1 {
			// The tool's answer on the very bytes, google/pprof not between.
			return preprofile(profiles[0])
		}
		raw, err := rewritten(profiles, r.Steps)
		if err != nil {
			return nil, err
		}
		return preprofile(raw)
	}
	return nil, fmt.Errorf("no such answer %q: use profile or preprofile", r.Answer)
}

// rewritten is what google/pprof writes, before gzip, after the steps.
func rewritten(profiles [][]byte, steps []Step) ([]byte, error) {
	p, err := evaluate(profiles, steps)
	if err != nil {
		return nil, err
	}
	return write(p)
}
