package main

// brokenProbes are inputs that must be refused, or that one would expect to be.
// The reference's own words are in the manifest; an engine may use better ones.
func brokenProbes() []probe {
	whole := func() message { return skeleton().sub(profileSample, sample(3)) }
	with := func(s message) message { return skeleton().sub(profileSample, s) }
	return []probe{
		broken("empty", "", nil),
		broken("one-byte", "", []byte{0}),
		broken("text", "", []byte("hello, world\n")),
		broken("html", "what a wrong address answers", []byte("<!DOCTYPE html><title>404</title>\n")),
		broken("preprofile-text", "the compiler's own text is no profile", []byte("GO PREPROFILE V1\nmain\nleaf\n1 3\n")),
		broken("concatenated", "two profiles, one behind the other",
			append(whole().num(profileTimeNanos, 5), whole().num(profileTimeNanos, 6)...)),
		broken("concatenated-without-time", "without a time it is not noticed by it", append(whole(), whole()...)),
		broken("truncated", "the last message is cut short", whole()[:len(whole())-3]),
		broken("truncated-tag", "", append(whole(), 0x80)),
		broken("number-too-long", "a varint of eleven bytes",
			whole().tag(profilePeriod, 0).bytes(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00)),
		broken("length-too-long", "", whole().tag(profileComment, 2).uvarint(1<<40)),
		broken("length-of-64-bits", "", whole().tag(profileComment, 2).uvarint(1<<63)),
		broken("group", "wire types 3 and 4 are groups, which pprof has not", whole().tag(99, 3).tag(99, 4)),
		broken("wire-type-6", "", whole().tag(99, 6)),
		broken("wire-type-7", "", whole().tag(99, 7)),
		broken("wire-type-of-number", "a number as bytes", whole().text(profilePeriod, "\x05")),
		broken("wire-type-of-message", "a message as a number", whole().num(profileSample, 1)),
		broken("wire-type-of-string", "a string as a number", whole().num(profileString, 1)),
		broken("wire-type-of-repeated", "a repeated number as four bytes", with(sample(3).fixed32(sampleValue, 1))),
		broken("packed-cut", "a packed run ends within a number", with(message{}.packed(sampleLocation, 2, 1).text(sampleValue, "\x03\x80"))),
		broken("first-string", "the first string must be empty", append(message{}.text(profileString, "x"), whole()...)),
		broken("no-strings", "without a table even the empty text is out of range", message{}.num(profilePeriod, 5)),
		broken("string-out-of-range", "", whole().sub(profileFunction, function(3, 99))),
		broken("string-negative", "", whole().sub(profileFunction, message{}.num(1, 3).int(2, -1))),
		broken("string-of-label-out-of-range", "", with(sample(3).sub(sampleLabel, str(99, 5)))),
		broken("location-missing", "a sample names a location that is not there", with(message{}.packed(sampleLocation, 2, 7).packed(sampleValue, 3, 30))),
		broken("location-zero", "a sample names location 0", with(message{}.packed(sampleLocation, 2, 0).packed(sampleValue, 3, 30))),
		broken("function-missing", "", whole().sub(profileLocation, location(3, 1, 9))),
		broken("function-zero", "a line without a function, though no sample uses it", whole().sub(profileLocation, location(3, 1, 0))),
		broken("id-zero-of-location", "", whole().sub(profileLocation, location(0, 1, 1))),
		broken("id-zero-of-function", "", whole().sub(profileFunction, function(0, strMain))),
		broken("id-zero-of-mapping", "", whole().sub(profileMapping, message{}.num(3, 0x1000))),
		broken("id-twice-of-location", "", whole().sub(profileLocation, location(2, 1, 1))),
		broken("id-twice-of-function", "", whole().sub(profileFunction, function(2, strMain))),
		broken("id-twice-of-mapping", "", whole().sub(profileMapping, message{}.num(1, 1).num(3, 0x1000))),
		broken("values-too-few", "", with(message{}.packed(sampleLocation, 2, 1).packed(sampleValue, 3))),
		broken("values-too-many", "", with(message{}.packed(sampleLocation, 2, 1).packed(sampleValue, 3, 30, 300))),
		broken("values-none", "", with(message{}.packed(sampleLocation, 2, 1))),
		broken("no-sample-type", "samples without a type",
			message{}.text(profileString, "").sub(profileSample, message{}.packed(sampleValue))),
		broken("no-start-line", "a profile, but none the compiler can use",
			header().sub(profileLocation, location(1, 0, 1)).sub(profileLocation, location(2, 0, 2)).
				sub(profileFunction, message{}.num(1, 1).num(2, strMain)).sub(profileFunction, message{}.num(1, 2).num(2, strLeaf)).
				sub(profileSample, sample(3))),
		broken("negative-value", "a profile, and the compiler even takes it", with(sample(-3))),
		broken("all-zero", "a profile; releases up to 1.26 refuse it", with(sample(0))),
	}
}

// broken asks what comes of it, even if the answer is a profile.
func broken(name, note string, data []byte) probe {
	return probe{name: "broken/" + name, note: note, inputs: [][]byte{data}}
}
