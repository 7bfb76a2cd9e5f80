package main

import "strings"

// The recorded profiles, in the order of their README: "neighbour" means the
// next one in this order.
var (
	topLevel = []string{
		"go-compile.pgo", "avalanchego.pgo", "rclone-full.pprof", "rclone.pgo", "datadog-grpc-anon.pprof",
		"autopgo-testdata.pgo", "gdu.pgo", "mtg.pgo", "boyter-cs.pgo",
	}
	helloA = []string{
		"hello-app/a-1.pprof", "hello-app/a-2.pprof", "hello-app/a-3.pprof", "hello-app/a-4.pprof", "hello-app/a-5.pprof",
	}
	helloOther = []string{
		"hello-app/b-1.pprof", "hello-app/b-2.pprof", "hello-app/b-3.pprof",
		"hello-app/labels-1.pprof", "hello-app/labels-2.pprof",
	}
	// What google/pprof parses and the compiler refuses.
	wrongKinds = []string{"legacy-gobench.cpu", "hello-app/a-heap.pprof", "hello-app/a-goroutine.pprof"}
)

func hello() []string       { return join(helloA, helloOther) }
func cpuFixtures() []string { return join(topLevel, hello()) }

func recordedProfiles() []string {
	var paths []string
	for _, name := range join(cpuFixtures(), wrongKinds) {
		paths = append(paths, "profiles/"+name)
	}
	return paths
}

// recordedCases is what is asked of the recorded profiles without pruning.
func recordedCases() []Case {
	var cases []Case
	for _, name := range join(cpuFixtures(), wrongKinds) {
		cases = append(cases,
			recorded("parse", nil, name),
			recorded("compact", steps(merge), name),
			recorded("twice", steps(merge), name, name))
	}
	for _, chain := range [][]string{topLevel, hello()} {
		for i := range chain[1:] {
			cases = append(cases,
				recorded("merge", steps(merge), chain[i], chain[i+1]),
				recorded("merge", steps(merge), chain[i+1], chain[i]))
		}
	}
	cases = append(cases,
		group("hello-a", helloA),
		group("hello", hello()),
		group("top-level", topLevel),
		group("all-cpu", cpuFixtures()),
		// One profile of another kind makes every later merge fail.
		recorded("merge", steps(merge), "hello-app/a-1.pprof", "hello-app/a-heap.pprof"),
		recorded("merge", steps(merge), "hello-app/a-1.pprof", "hello-app/a-goroutine.pprof"),
		recorded("merge", steps(merge), "hello-app/a-heap.pprof", "hello-app/a-goroutine.pprof"),
		recorded("merge", steps(merge), "hello-app/a-1.pprof", "legacy-gobench.cpu"),
		Case{Name: "merge/nothing", Inputs: []string{}, Steps: steps(merge)})
	return cases
}

// recorded is a case on recorded profiles, named by what is done and to what.
func recorded(verb string, s []Step, names ...string) Case {
	c := Case{Name: verb + "/" + strings.Join(names, "+"), Steps: s}
	if verb == "twice" {
		c.Name = verb + "/" + names[0]
	}
	for _, name := range names {
		c.Inputs = append(c.Inputs, "profiles/"+name)
	}
	return c
}

func group(name string, names []string) Case {
	c := recorded("group", steps(merge), names...)
	c.Name = "group/" + name
	return c
}

func steps(s ...Step) []Step { return s }

func join(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
