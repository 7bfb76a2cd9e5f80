package main

import "github.com/google/pprof/profile"

// labelProbes ask how labels are read, told apart and written.
func labelProbes() []probe {
	return []probe{
		{"merge/labels", "the same stack under other labels is another sample",
			[][]byte{labelled(tag("route", "a")), labelled(tag("route", "b")), labelled(nil), labelled(tag("route", "a"))}, steps(merge)},
		{"merge/label-keys", "keys are sorted, so their order is no difference",
			[][]byte{spelled(str(strKey, 5), str(strFile, 6)), spelled(str(strFile, 6), str(strKey, 5))}, steps(merge)},
		{"merge/label-values", "the order of one key's values is a difference",
			[][]byte{labelled(tag("route", "a", "b")), labelled(tag("route", "b", "a"))}, steps(merge)},
		{"merge/label-numbers", "numbers, units, and a number without a unit",
			[][]byte{labelled(number([]int64{64, -1}, []string{"bytes", "bytes"})), labelled(number([]int64{64, -1}, nil)),
				labelled(number([]int64{64, -1}, []string{"bytes", ""}))}, steps(merge)},
		{"merge/label-both", "a key may have texts and numbers at once",
			[][]byte{labelled(func(s *profile.Sample) { tag("bytes", "x")(s); number([]int64{1}, nil)(s) })}, steps(merge)},
		{"parse/label-padding", "once a number has a unit, those before and after it have the empty one",
			[][]byte{spelled(num(strKey, 1, 0), num(strKey, 2, strCount), num(strKey, 3, 0))}, nil},
		{"parse/label-nothing", "a label of neither text, number nor unit is dropped",
			[][]byte{spelled(message{}.num(1, strKey), str(strKey, 5))}, nil},
		{"parse/label-unit-only", "a unit alone is a number of zero",
			[][]byte{spelled(num(strKey, 0, strCount))}, nil},
		{"parse/label-text-and-number", "of text and number the text wins",
			[][]byte{spelled(message{}.num(1, strKey).num(2, 5).num(3, 9).num(4, strCount))}, nil},
		{"parse/label-without-key", "the empty key is a key",
			[][]byte{spelled(message{}.num(2, 5))}, nil},
		{"merge/label-zero-number", "a number of zero with a unit beside one without",
			[][]byte{spelled(num(strKey, 0, strCount), num(strKey, 7, 0))}, steps(merge)},
	}
}

// labelled is one stack, its sample changed.
func labelled(change func(*profile.Sample)) []byte {
	return cpu(func(p *profile.Profile) {
		if change != nil {
			change(p.Sample[0])
		}
	}, "1: leaf;main")
}

func tag(key string, values ...string) func(*profile.Sample) {
	return func(s *profile.Sample) { s.Label = map[string][]string{key: values} }
}

func number(values []int64, units []string) func(*profile.Sample) {
	return func(s *profile.Sample) {
		s.NumLabel = map[string][]int64{"bytes": values}
		s.NumUnit = map[string][]string{"bytes": units}
	}
}

// spelled is one stack with its labels written out field by field.
func spelled(labels ...message) []byte {
	s := sample(1)
	for _, l := range labels {
		s = s.sub(sampleLabel, l)
	}
	return skeleton().sub(profileSample, s)
}

func str(key, value uint64) message { return message{}.num(1, key).num(2, value) }

func num(key uint64, value int64, unit uint64) message {
	m := message{}.num(1, key).int(3, value)
	if unit != 0 {
		m = m.num(4, unit)
	}
	return m
}
