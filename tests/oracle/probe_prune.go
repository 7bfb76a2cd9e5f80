package main

// An example is a worked example of pruning: stacks, rules, and a result small
// enough to check by eye (the manifest shows it as stacks).
type example struct {
	name, note string
	stacks     []string
	rules      []Step
}

var examples = []example{
	{"leaf", "all below the match goes, the match too",
		[]string{"1: fmt;log;h;main", "2: x;log;h;main", "4: h;main"},
		steps(prune(`^log$`))},
	{"root", "a match at the root stays; below another root it is cut",
		[]string{"1: a;main", "2: a;main;rt", "4: main"},
		steps(prune(`^main$`))},
	{"inlined", "lines are cut for every sample at once, the root location's too",
		[]string{"1: fmt;log/h;main", "2: x;a/log/h;main", "4: log/h"},
		steps(prune(`^log$`))},
	{"unanchored", "the search is not anchored",
		[]string{"1: x;log/h", "2: y;z;log/h;main"},
		steps(prune(`log`))},
	{"nearest-root", "of several matches the one nearest the root counts",
		[]string{"1: A;B;C;B;D"},
		steps(prune(`^B$`))},
	{"keep", "keep does not shield the frames above a dropped one",
		[]string{"1: x;lib.keep;lib.a;main", "2: x;lib.a;lib.keep;main"},
		steps(pruneKeep(`^lib`, `^lib.keep`))},
	{"simplified", "names are cut at the first bracket that is not reserved, and lose one leading dot",
		[]string{"1: x;f(int);main", "2: x;.f;main", "4: x;(anonymous namespace)::f(int);main"},
		steps(prune(`^f$`))},
	{"two-dots", "one leading dot goes, not two",
		[]string{"1: x;..f;main", "2: x;.f;main"},
		steps(prune(`^f$`))},
	{"reserved", "(anonymous namespace) and operator() are no argument lists, what follows them may be",
		[]string{"1: x;(anonymous namespace)::f(int);main", "2: x;A::operator()(int);main", "4: x;operator(;main"},
		steps(prune(`^(\(anonymous namespace\)::f|A::operator\(\)|operator)$`))},
	{"pointer-method", "a pointer method is its package and a dot",
		[]string{"1: x;http.(*conn).serve;main", "2: x;http.HandlerFunc.ServeHTTP;main", "4: x;(*T).M;main"},
		steps(prune(`^http\.$`))},
	{"pointer-method-full-name", "so a rule for the method never matches",
		[]string{"1: x;http.(*conn).serve;main"},
		steps(prune(`conn`), prune(`serve`))},
	{"empty-after-simplifying", "a name that begins with a bracket is the empty name, which ^$ matches",
		[]string{"1: x;(*T).M;main"},
		steps(prune(`^$`))},
	{"empty-name", "a frame without a name is never looked at",
		[]string{"1: x;;main"},
		steps(prune(`^$`))},
	{"generic", "brackets of an instantiation stay",
		[]string{"1: x;slices.SortFunc[...];main", "2: x;slices.Sort;main"},
		steps(prune(`^slices\.SortFunc\[\.\.\.\]$`))},
	{"sequence", "the second rule sees what the first left",
		[]string{"1: a;b;c;d;main", "2: a;c;b;d;main", "4: b;main"},
		steps(prune(`^c$`), prune(`^b$`))},
	{"sequence-inlined", "a cut location is found again by the next rule",
		[]string{"1: x;a/b/c;main", "2: y;a/b/c/d;main"},
		steps(prune(`^b$`), prune(`^c$`))},
	{"only-after-simplifying", "as it is written, the name does not end in f",
		[]string{"1: x;f(int);main"},
		steps(prune(`f$`))},
	{"everything", "no frame is a user frame: all samples stay, locations of several lines lose nothing",
		[]string{"1: a;b;main", "2: a/b;main"},
		steps(prune(`.`))},
	{"everything-but-main", "main is kept, hence the first user frame",
		[]string{"1: a;b;main", "2: a/b;main", "4: a/main", "8: main"},
		steps(pruneKeep(`.`, `^main$`))},
	{"all-roots-match", "frames above the first user frame are left alone, though they match",
		[]string{"1: rt.a;user;rt.b;rt.c", "2: rt.a;rt.b"},
		steps(prune(`^rt\.`))},
	{"shared-location", "the location is cut in samples that keep it, too",
		[]string{"1: log/h;main", "2: z;log/h;main", "4: main;log/h"},
		steps(prune(`^log$`))},
	{"empty-keep", "an empty keep is a pattern that matches everything",
		[]string{"1: x;log;main"},
		steps(pruneKeep(`^log$`, ``))},
	{"inner-match-behind-keep", "the kept outer line does not end the search: the next line inwards is cut",
		[]string{"1: x;lib.a/lib.keep;main"},
		steps(pruneKeep(`^lib`, `^lib.keep`))},
	{"becomes-equal", "samples made equal stay apart until the next merge",
		[]string{"1: a;log;h;main", "2: b;log;h;main", "4: h;main"},
		steps(prune(`^log$`))},
}

// exampleProbes shows each example as it is, pruned, and compacted after that.
func exampleProbes() []probe {
	var all []probe
	for _, e := range examples {
		input := [][]byte{cpu(nil, e.stacks...)}
		name := "example/" + e.name
		all = append(all,
			probe{name, e.note, input, e.rules},
			probe{name + "/before", "", input, nil},
			probe{name + "/compact", "", input, append(append([]Step{}, e.rules...), merge)})
	}
	return all
}
