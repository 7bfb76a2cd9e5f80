package main

import "github.com/google/pprof/profile"

// tableProbes ask which mappings, locations and functions are the same.
func tableProbes() []probe {
	return []probe{
		{"merge/mapping-rounding", "sizes are rounded up to 4 KiB, so these are one mapping, the first whole",
			each(mapping(0x400000, 0x500001, 0, "/app", "id"), mapping(0x400000, 0x501000, 0, "/app", "id"), mapping(0x400000, 0x500000, 0, "/app", "id")), steps(merge)},
		{"merge/mapping-start", "the start is no difference: addresses are moved to the first mapping's",
			each(mapping(0x400000, 0x500000, 0, "/app", "id"), mapping(0x700000, 0x800000, 0, "/app", "id")), steps(merge)},
		{"merge/mapping-start-wraps", "moved by wrapping arithmetic",
			each(mapping(0xffff_ffff_fff0_0000, 0, 0, "/app", "id"), mapping(0x1000, 0x101000, 0, "/app", "id")), steps(merge)},
		{"merge/mapping-offset", "the offset is a difference",
			each(mapping(0x400000, 0x500000, 0, "/app", "id"), mapping(0x400000, 0x500000, 0x1000, "/app", "id")), steps(merge)},
		{"merge/mapping-build-id", "the build id stands before the file",
			each(mapping(0x400000, 0x500000, 0, "/app", "id"), mapping(0x400000, 0x500000, 0, "/other", "id"), mapping(0x400000, 0x500000, 0, "/app", "id2")), steps(merge)},
		{"merge/mapping-file-as-id", "a file may be another's build id",
			each(mapping(0x400000, 0x500000, 0, "/app", ""), mapping(0x400000, 0x500000, 0, "", "/app")), steps(merge)},
		{"merge/mapping-nameless", "mappings with neither are one if the size is",
			each(mapping(0x400000, 0x500000, 0, "", ""), mapping(0x600000, 0x700000, 0, "", "")), steps(merge)},
		{"merge/mapping-flags", "flags are the first mapping's, not a union",
			each(func(p *profile.Profile) { p.Mapping[0].HasFunctions = false }, func(p *profile.Profile) {
				p.Mapping[0].HasFilenames, p.Mapping[0].HasLineNumbers, p.Mapping[0].HasInlineFrames = true, true, true
			}), steps(merge)},
		{"merge/mapping-first-unused", "the first profile's first mapping stays first, though nothing uses it; the second's goes",
			each(unusedFirst("/one"), unusedFirst("/two")), steps(merge)},
		{"merge/mapping-none", "without a mapping, then with one", each(unmapped, func(*profile.Profile) {}), steps(merge)},
		{"compact/mapping-kernel", "a kernel's relocation symbol is part of its file", each(mapping(0x400000, 0x500000, 0, "[kernel.kallsyms]_text", "")), steps(merge)},
		{"compact/unused", "what no sample uses goes", [][]byte{cpu(func(p *profile.Profile) { p.Sample = p.Sample[1:] }, "1: a;b;c", "2: d;main")}, steps(merge)},
		{"parse/unused", "as parsed it stays", [][]byte{cpu(func(p *profile.Profile) { p.Sample = p.Sample[1:] }, "1: a;b;c", "2: d;main")}, nil},
		{"merge/location-address", "the address is a difference", each(leaf(func(l *profile.Location) { l.Address = 1 }), leaf(func(l *profile.Location) { l.Address = 2 })), steps(merge)},
		{"merge/location-folded", "folded is a difference", each(leaf(func(l *profile.Location) { l.IsFolded = true }), leaf(nil)), steps(merge)},
		{"merge/location-line", "the line is a difference", each(leaf(func(l *profile.Location) { l.Line[0].Line = 99 }), leaf(nil)), steps(merge)},
		{"merge/location-line-negative", "", each(leaf(func(l *profile.Location) { l.Line[0].Line = -99 }), leaf(func(l *profile.Location) { l.Line[0].Line = 99 })), steps(merge)},
		{"merge/location-no-lines", "told apart by address alone", each(leaf(func(l *profile.Location) { l.Line = nil }), leaf(func(l *profile.Location) { l.Line, l.Address = nil, 7 })), steps(merge)},
		{"merge/column-of-one-line", "the column of the last line is a difference", each(column(0, 3), column(0, 9)), steps(merge)},
		{"merge/column-of-inner-line", "the column of an inner line is none: in the pinned version the next line overwrites it", inlined(column(0, 3), column(0, 9)), steps(merge)},
		{"merge/column-of-outer-line", "", inlined(column(1, 3), column(1, 9)), steps(merge)},
		{"merge/function-fields", "name, system name, file and start line: each is a difference", each(
			func(*profile.Profile) {},
			func(p *profile.Profile) { p.Function[0].SystemName = "_leaf" },
			func(p *profile.Profile) { p.Function[0].Filename = "other.go" },
			func(p *profile.Profile) { p.Function[0].StartLine = -1 },
			func(p *profile.Profile) { p.Function[0].Name = "Leaf" }), steps(merge)},
		{"compact/function-twice", "equal functions under two ids become one", each(func(p *profile.Profile) {
			twin := *p.Function[0]
			twin.ID = 9
			p.Function = append(p.Function, &twin)
			p.Location[1].Line[0].Function = &twin
		}), steps(merge)},
		{"compact/sparse-ids", "ids are numbered anew", each(sparse), steps(merge)},
		{"parse/sparse-ids", "as parsed they stay", each(sparse), nil},
	}
}

func mapping(start, limit, offset uint64, file, buildID string) func(*profile.Profile) {
	return func(p *profile.Profile) {
		m := p.Mapping[0]
		for _, l := range p.Location {
			l.Address += start - m.Start
		}
		m.Start, m.Limit, m.Offset, m.File, m.BuildID = start, limit, offset, file, buildID
	}
}

func unusedFirst(file string) func(*profile.Profile) {
	return func(p *profile.Profile) {
		p.Mapping[0].ID = 2
		p.Mapping = append([]*profile.Mapping{{ID: 1, Start: 0x1000, Limit: 0x2000, File: file}}, p.Mapping...)
	}
}

func unmapped(p *profile.Profile) {
	p.Mapping = nil
	for _, l := range p.Location {
		l.Mapping = nil
	}
}

func leaf(change func(*profile.Location)) func(*profile.Profile) {
	return func(p *profile.Profile) {
		if change != nil {
			change(p.Location[0])
		}
	}
}

func column(line int, column int64) func(*profile.Profile) {
	return leaf(func(l *profile.Location) { l.Line[line].Column = column })
}

// inlined is like each, with a leaf of two lines.
func inlined(changes ...func(*profile.Profile)) [][]byte {
	var inputs [][]byte
	for _, change := range changes {
		inputs = append(inputs, cpu(change, "1: leaf/caller;main"))
	}
	return inputs
}

func sparse(p *profile.Profile) {
	p.Mapping[0].ID = 1 << 63
	for i := range uint64(2) {
		p.Location[i].ID = 1<<60 + 7*i
		p.Function[i].ID = 1000 - i
	}
}
