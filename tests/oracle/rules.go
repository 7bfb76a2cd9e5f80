package main

// A ruleSet is prune rules as an application has them: in order, one Prune each.
type ruleSet struct {
	name, note string
	rules      []Step
}

// ruleSets are what people write, and what they write without knowing that
// pprof cuts a name at its first bracket.
var ruleSets = []ruleSet{
	{"runtime", "the rule of most people", steps(prune(`^runtime\.`))},
	{"github", "unanchored, as in the documentation", steps(prune(`github.com/.*`))},
	{"escaped-slash", "the documentation's own escapes", steps(pruneKeep(`github.com\/.*`, `github.com\/[a-m]`))},
	{"runtime-keep", "keep shields a few names", steps(pruneKeep(`^runtime\.`, `^runtime\.(mallocgc|memmove|gcBgMarkWorker)$`))},
	{"keep-all", "keep matches all that drop matches: nothing happens", steps(pruneKeep(`^runtime\.`, `.`))},
	{"three", "several rules in sequence", steps(prune(`^runtime\.mallocgc$`), pruneKeep(`^(internal/)?(syscall|runtime/syscall)\b`, `Wait`), prune(`^net(/http)?\.`))},
	{"three-reversed", "the same rules the other way round", steps(prune(`^net(/http)?\.`), pruneKeep(`^(internal/)?(syscall|runtime/syscall)\b`, `Wait`), prune(`^runtime\.mallocgc$`))},
	{"pointer-methods", "matches only simplified names: net/http.(*conn).serve is net/http.", steps(prune(`^[^(]*\.$`))},
	{"never", "matches whole names only, so never", steps(prune(`\(\*[A-Za-z]+\)\.`))},
	{"generics", "instantiations keep their brackets", steps(prune(`\[\.\.\.\]|\[go\.shape`))},
	{"closures", "func literals", steps(prune(`\.func\d+(\.\d+)*$`))},
	{"case", "flags and classes", steps(pruneKeep(`(?i)\.(READ|write)`, `[[:upper:]]rite$`))},
	{"quoted", "quoting, which not every engine has", steps(prune(`^\Qruntime.\E(mcall|systemstack|goexit)`))},
	{"root", "a match at the root stays, beneath another root it goes", steps(prune(`^(main\.main|runtime\.goexit)$`))},
	{"everything", "every frame matches, so no frame is a user frame", steps(prune(`.`))},
	{"empty", "the empty pattern matches every name", steps(prune(``))},
	{"nothing", "no name matches", steps(prune(`^$`))},
}

// pruned are the profiles that see every set; the big ones see the first few.
var (
	pruned = []string{
		"boyter-cs.pgo", "mtg.pgo", "gdu.pgo", "autopgo-testdata.pgo", "hello-app/a-1.pprof", "hello-app/labels-1.pprof",
	}
	prunedBig     = []string{"go-compile.pgo", "avalanchego.pgo", "rclone-full.pprof", "rclone.pgo", "datadog-grpc-anon.pprof"}
	prunedBigSets = 8
)

// prunedCases prunes recorded profiles the way a worker does (merge, then rule
// after rule, no compaction), compacts the result, and prunes before a merge.
func prunedCases() []Case {
	var cases []Case
	for _, set := range ruleSets {
		for _, name := range pruned {
			cases = append(cases, set.on("prune", steps(merge), nil, name))
		}
		cases = append(cases,
			set.on("prune-as-parsed", nil, nil, "hello-app/b-1.pprof"),
			set.on("prune-compact", steps(merge), steps(merge), "mtg.pgo"),
			set.on("prune-compact", steps(merge), steps(merge), hello()...),
			set.on("prune-then-merge", nil, steps(merge), "hello-app/a-1.pprof", "hello-app/labels-2.pprof", "boyter-cs.pgo"))
	}
	for _, set := range ruleSets[:prunedBigSets] {
		for _, name := range prunedBig {
			cases = append(cases, set.on("prune", steps(merge), nil, name))
		}
	}
	return cases
}

func (set ruleSet) on(verb string, before, after []Step, names ...string) Case {
	all := append(append(append([]Step{}, before...), set.rules...), after...)
	c := recorded(verb+"/"+set.name, all, names...)
	if len(names) == len(hello()) {
		c.Name = verb + "/" + set.name + "/hello"
	}
	if len(names) == 1 && names[0] == pruned[0] {
		c.Note = set.note
	}
	return c
}
