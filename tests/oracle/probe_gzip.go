package main

import (
	"bytes"
	"compress/gzip"
)

// gzipProbes are ways to wrap a profile, and to fail at it.
func gzipProbes() []probe {
	whole := skeleton().sub(profileSample, sample(3))
	half := len(whole) / 2
	one := zipped(whole)
	return []probe{
		wrapped("one-member", "", one),
		wrapped("two-members", "members are read as one stream", append(zipped(whole[:half]), zipped(whole[half:])...)),
		wrapped("empty-member-behind", "", append(zipped(whole), zipped(nil)...)),
		wrapped("named", "a header with name, comment and extra field", zippedWith(gzip.Header{Name: "cpu.pprof", Comment: "c", Extra: []byte("extra")}, whole)),
		wrapped("twice", "a gzip of a gzip is no profile", zipped(one)),
		wrapped("of-nothing", "", zipped(nil)),
		wrapped("magic-only", "", []byte{0x1f, 0x8b}),
		wrapped("truncated-header", "", one[:7]),
		wrapped("truncated", "", one[:len(one)-20]),
		wrapped("truncated-trailer", "", one[:len(one)-4]),
		wrapped("garbage-behind", "", append(zipped(whole), "garbage"...)),
		wrapped("zeros-behind", "not even zeros may follow", append(zipped(whole), make([]byte, 16)...)),
		wrapped("checksum", "", flipped(one, len(one)-8)),
		wrapped("length", "", flipped(one, len(one)-1)),
		wrapped("method", "a compression method that is not deflate", flipped(one, 2)),
	}
}

func wrapped(name, note string, data []byte) probe {
	return probe{name: "gzip/" + name, note: note, inputs: [][]byte{data}}
}

func zipped(raw []byte) []byte { return zippedWith(gzip.Header{OS: 255}, raw) }

// zippedWith stores without compressing: what a compressor makes of it differs
// from one release of Go to the next.
func zippedWith(h gzip.Header, raw []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		panic(err)
	}
	w.Header = h
	if _, err := w.Write(raw); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func flipped(data []byte, at int) []byte {
	b := bytes.Clone(data)
	b[at] ^= 0xff
	return b
}
