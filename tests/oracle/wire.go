package main

import "encoding/binary"

// A message is a protobuf message written by hand, because what matters in some
// inputs is an encoding that google/pprof reads and never writes.
type message []byte

func (m message) num(field int, v uint64) message {
	return m.tag(field, 0).uvarint(v)
}

func (m message) int(field int, v int64) message { return m.num(field, uint64(v)) }

func (m message) text(field int, s string) message {
	return append(m.tag(field, 2).uvarint(uint64(len(s))), s...)
}

func (m message) sub(field int, inner message) message { return m.text(field, string(inner)) }

func (m message) packed(field int, values ...uint64) message {
	var inner message
	for _, v := range values {
		inner = inner.uvarint(v)
	}
	return m.sub(field, inner)
}

func (m message) fixed64(field int, v uint64) message {
	return binary.LittleEndian.AppendUint64(m.tag(field, 1), v)
}

func (m message) fixed32(field int, v uint32) message {
	return binary.LittleEndian.AppendUint32(m.tag(field, 5), v)
}

func (m message) tag(field, wireType int) message {
	return m.uvarint(uint64(field)<<3 | uint64(wireType))
}

func (m message) uvarint(v uint64) message { return binary.AppendUvarint(m, v) }

func (m message) bytes(b ...byte) message { return append(m, b...) }

// Field numbers of profile.proto that the probes use.
const (
	profileSampleType    = 1
	profileSample        = 2
	profileMapping       = 3
	profileLocation      = 4
	profileFunction      = 5
	profileString        = 6
	profileTimeNanos     = 9
	profileDurationNanos = 10
	profilePeriodType    = 11
	profilePeriod        = 12
	profileComment       = 13

	sampleLocation = 1
	sampleValue    = 2
	sampleLabel    = 3
)

// Indices into the strings of skeleton.
const (
	strSamples, strCount, strCPU, strNanoseconds = 1, 2, 3, 4
	strMain, strLeaf, strFile, strKey            = 5, 6, 7, 8
)

// skeleton is a whole CPU profile but for its samples: functions main (1) and
// leaf (2), one location each with the same ids, one mapping.
func skeleton() message {
	m := header()
	m = m.sub(profileMapping, message{}.num(1, 1).num(2, 0x400000).num(3, 0x500000).num(5, strFile))
	for id := uint64(1); id <= 2; id++ {
		m = m.sub(profileLocation, location(id, 1, id))
		m = m.sub(profileFunction, function(id, strMain+id-1))
	}
	return m
}

// header is the sample types, the period and the strings.
func header() message {
	var m message
	m = m.sub(profileSampleType, message{}.num(1, strSamples).num(2, strCount))
	m = m.sub(profileSampleType, message{}.num(1, strCPU).num(2, strNanoseconds))
	for _, s := range []string{"", "samples", "count", "cpu", "nanoseconds", "main", "leaf", "app.go", "key"} {
		m = m.text(profileString, s)
	}
	m = m.sub(profilePeriodType, message{}.num(1, strCPU).num(2, strNanoseconds))
	return m.num(profilePeriod, 10_000_000)
}

func location(id, mapping, function uint64) message {
	line := message{}.num(1, function).num(2, 10*function+3)
	return message{}.num(1, id).num(2, mapping).num(3, 0x400000+0x10*id).sub(4, line)
}

func function(id, name uint64) message {
	return message{}.num(1, id).num(2, name).num(3, name).num(4, strFile).num(5, 10*id)
}

// sample is leaf called by main, seen n times.
func sample(n int64) message {
	return message{}.packed(sampleLocation, 2, 1).packed(sampleValue, uint64(n), uint64(n*10_000_000))
}
