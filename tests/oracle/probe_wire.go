package main

// wireProbes are encodings that google/pprof reads and never writes.
func wireProbes() []probe {
	whole := skeleton().sub(profileSample, sample(3))
	loose := message{}.num(sampleLocation, 2).num(sampleLocation, 1).num(sampleValue, 3).num(sampleValue, 30)
	pieces := message{}.packed(sampleLocation, 2).packed(sampleLocation).num(sampleLocation, 1).packed(sampleValue, 3).num(sampleValue, 30)
	return []probe{
		odd("whole", "nothing odd: what the others are compared with", whole),
		odd("unpacked", "repeated numbers one by one", skeleton().sub(profileSample, loose)),
		odd("packed-in-pieces", "in several runs, one of them empty", skeleton().sub(profileSample, pieces)),
		odd("sample-first", "a sample may stand before what it names", append(message{}.sub(profileSample, sample(3)), skeleton()...)),
		odd("unknown-fields", "unknown fields of every type are skipped",
			append(message{}.num(99, 1).fixed64(100, 2).text(101, "x").fixed32(102, 3).num(1<<20, 4), whole...)),
		odd("unknown-field-in-sample", "",
			skeleton().sub(profileSample, sample(3).num(4, 1).text(200, "x"))),
		odd("field-zero", "field number 0 is skipped", append(message{}.num(0, 1), whole...)),
		odd("period-twice", "the last of a number counts", skeleton().num(profilePeriod, 5).sub(profileSample, sample(3))),
		odd("period-type-twice", "the last of a message counts whole, it is not merged",
			skeleton().sub(profilePeriodType, message{}.num(1, strMain)).sub(profileSample, sample(3))),
		odd("time-after-zero", "a second time is allowed where the first is zero",
			append(message(nil), whole...).num(profileTimeNanos, 0).num(profileTimeNanos, 5)),
		odd("duration-negative", "", append(message(nil), whole...).int(profileDurationNanos, -1)),
		odd("number-of-ten-bytes", "a varint of ten bytes loses what is above 64 bits",
			append(message(nil), whole...).tag(profileDurationNanos, 0).bytes(0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7e)),
		odd("number-padded", "a varint may be longer than it needs to be",
			append(message(nil), whole...).tag(profileDurationNanos, 0).bytes(0x85, 0x80, 0x80, 0x00)),
		odd("flag-of-two", "every number but zero is true",
			header().sub(profileMapping, message{}.num(1, 1).num(3, 0x1000).num(7, 2).num(8, 1<<63)).
				sub(profileLocation, location(1, 1, 1)).sub(profileLocation, location(2, 1, 1)).
				sub(profileFunction, function(1, strMain)).sub(profileSample, sample(3))),
		odd("mapping-missing", "a location may name a mapping that is not there",
			header().sub(profileLocation, location(1, 9, 1)).sub(profileLocation, location(2, 0, 1)).
				sub(profileFunction, function(1, strMain)).sub(profileSample, sample(3))),
		odd("names-not-utf8", "names are bytes",
			append(message(nil), whole...).text(profileString, "\xff\xfename").sub(profileFunction, function(3, 9)).
				sub(profileLocation, location(3, 1, 3)).sub(profileSample, message{}.packed(sampleLocation, 3, 1).packed(sampleValue, 1, 2))),
		odd("names-with-newlines", "the compiler's text has no quoting, so such a name spoils it",
			append(message(nil), whole...).text(profileString, "two\nlines").sub(profileFunction, function(3, 9)).
				sub(profileLocation, location(3, 1, 3)).sub(profileSample, message{}.packed(sampleLocation, 3, 1).packed(sampleValue, 1, 2))),
		odd("strings-twice", "the same text may stand in the table twice",
			append(message(nil), whole...).text(profileString, "leaf").sub(profileFunction, function(3, 9)).
				sub(profileLocation, location(3, 1, 3)).sub(profileSample, message{}.packed(sampleLocation, 3, 1).packed(sampleValue, 1, 2))),
		odd("strings-unused", "texts that nothing names go", append(message(nil), whole...).text(profileString, "nobody")),
		odd("empty-messages", "an empty value type is two empty texts",
			message{}.sub(profileSampleType, nil).text(profileString, "")),
		odd("comments-loose", "", append(message(nil), whole...).num(profileComment, strLeaf).packed(profileComment, strMain, 0)),
		odd("one-string", "the empty text and nothing else",
			message{}.text(profileString, "")),
	}
}

// odd asks for a rewrite of what was read.
func odd(name, note string, m message) probe {
	return probe{name: "wire/" + name, note: note, inputs: [][]byte{m}}
}
