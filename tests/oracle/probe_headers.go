package main

import (
	"math"

	"github.com/google/pprof/profile"
)

// headerProbes ask how Merge combines what is not a sample.
func headerProbes() []probe {
	return []probe{
		timeProbe("5-0", 5, 0), timeProbe("5-0-7", 5, 0, 7), timeProbe("0-5-3", 0, 5, 3),
		timeProbe("5-3-9", 5, 3, 9), timeProbe("5-minus", 5, -3, 4), timeProbe("0-0", 0, 0),
		{"merge/duration", "durations add up", each(
			func(p *profile.Profile) { p.DurationNanos = 7 },
			func(p *profile.Profile) { p.DurationNanos = 5_000_000_000 },
			func(p *profile.Profile) { p.DurationNanos = -2 }), steps(merge)},
		{"merge/duration-wraps", "and wrap", each(
			func(p *profile.Profile) { p.DurationNanos = math.MaxInt64 },
			func(p *profile.Profile) { p.DurationNanos = 1 }), steps(merge)},
		{"merge/period", "the longest period counts", each(
			func(p *profile.Profile) { p.Period = 10 },
			func(p *profile.Profile) { p.Period = 30 },
			func(p *profile.Profile) { p.Period = 20 }), steps(merge)},
		{"merge/period-negative", "a negative period is taken while there is none, and gives way to a later zero", each(
			func(p *profile.Profile) { p.Period = 0 },
			func(p *profile.Profile) { p.Period = -5 },
			func(p *profile.Profile) { p.Period = 0 }), steps(merge)},
		{"merge/comments", "a union in the order in which they are first seen, the empty comment too", each(
			func(p *profile.Profile) { p.Comments = []string{"b", "a", "b", ""} },
			func(p *profile.Profile) { p.Comments = []string{"a", "c"} }), steps(merge)},
		{"parse/comments", "as parsed they stay as they are", each(
			func(p *profile.Profile) { p.Comments = []string{"b", "a", "b", ""} }), nil},
		{"merge/first-texts", "default sample type and documentation: the first that is not empty", each(
			func(p *profile.Profile) {},
			func(p *profile.Profile) { p.DefaultSampleType = "cpu" },
			func(p *profile.Profile) { p.DefaultSampleType, p.DocURL = "samples", "https://example.org/one" },
			func(p *profile.Profile) { p.DocURL = "https://example.org/two" }), steps(merge)},
		{"merge/frames-of-first", "drop and keep frames: the first profile's", each(
			func(p *profile.Profile) { p.DropFrames, p.KeepFrames = "drop.*", "keep.*" },
			func(p *profile.Profile) { p.DropFrames, p.KeepFrames = "other", "more" }), steps(merge)},
		{"merge/frames-of-first-empty", "even when it has none", each(
			func(p *profile.Profile) {},
			func(p *profile.Profile) { p.DropFrames, p.KeepFrames = "other", "more" }), steps(merge)},
		{"merge/period-type-unit", "", each(
			func(p *profile.Profile) {},
			func(p *profile.Profile) { p.PeriodType.Unit = "microseconds" }), steps(merge)},
		{"merge/period-type-missing", "no period type is the period type of two empty texts", each(
			func(p *profile.Profile) {},
			func(p *profile.Profile) { p.PeriodType = nil }), steps(merge)},
		{"merge/period-type-missing-twice", "", each(
			func(p *profile.Profile) { p.PeriodType = nil },
			func(p *profile.Profile) { p.PeriodType = &profile.ValueType{} }), steps(merge)},
		{"merge/period-type-half", "a period type of one text is written", each(
			func(p *profile.Profile) { p.PeriodType = &profile.ValueType{Unit: "nanoseconds"} }), steps(merge)},
		{"merge/sample-types-order", "", each(
			func(p *profile.Profile) {},
			func(p *profile.Profile) { t := p.SampleType; t[0], t[1] = t[1], t[0] }), steps(merge)},
		{"merge/sample-types-number", "", each(
			func(p *profile.Profile) {},
			func(p *profile.Profile) { p.SampleType = p.SampleType[:1]; p.Sample[0].Value = []int64{1} }), steps(merge)},
		{"merge/sample-types-three", "more than two values are packed", each(threeValues, threeValues), steps(merge)},
		{"merge/no-samples", "", each(withoutSamples, withoutSamples), steps(merge)},
		{"merge/no-samples-and-some", "", each(withoutSamples, func(*profile.Profile) {}), steps(merge)},
		{"compact/nothing-at-all", "no types, no samples", [][]byte{encoded(&profile.Profile{})}, steps(merge)},
	}
}

// timeProbe shows that the time is not the earliest that is set.
func timeProbe(name string, times ...int64) probe {
	p := probe{name: "merge/time-" + name, note: "a zero is taken, and then replaced by whatever follows", steps: steps(merge)}
	for _, t := range times {
		p.inputs = append(p.inputs, each(func(p *profile.Profile) { p.TimeNanos = t })...)
	}
	return p
}

// each is one profile of a single stack for each change.
func each(changes ...func(*profile.Profile)) [][]byte {
	var inputs [][]byte
	for _, change := range changes {
		inputs = append(inputs, cpu(change, "1: leaf;main"))
	}
	return inputs
}

func withoutSamples(p *profile.Profile) { p.Sample = nil }

func threeValues(p *profile.Profile) {
	p.SampleType = append(p.SampleType, &profile.ValueType{Type: "wall", Unit: "nanoseconds"})
	p.Sample[0].Value = append(p.Sample[0].Value, 0)
}
