package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand"
	"strings"
	"testing"
)

// ask sends requests through one run of the command and returns the answers.
func ask(t *testing.T, requests ...[][]byte) []string {
	t.Helper()
	var in, out bytes.Buffer
	for _, frames := range requests {
		in.Write(framed(frames))
	}
	if err := runDiff(nil, &in, &out); err != nil {
		t.Fatal(err)
	}
	var answers []string
	for out.Len() > 0 {
		answer, err := readFrame(&out)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, string(answer))
	}
	if len(answers) != len(requests) {
		t.Fatalf("%d answers to %d requests", len(answers), len(requests))
	}
	return answers
}

func framed(frames [][]byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(frames)))
	for _, f := range frames {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(f))), f...)
	}
	return b
}

func TestDiffAnswersInOrder(t *testing.T) {
	one, other := cpu(nil, "1: a;log;main"), cpu(nil, "2: b;log;main")
	answers := ask(t,
		[][]byte{[]byte(`{"steps":[]}`), one},
		[][]byte{[]byte(`{"steps":[{"op":"merge"}],"answer":"profile"}`), one, other},
		[][]byte{[]byte(`{"steps":[{"op":"merge"},{"op":"prune","drop":"^log$"},{"op":"merge"}]}`), one, other},
		[][]byte{[]byte(`{"answer":"preprofile"}`), one},
	)
	check := func(i int, want ...string) {
		t.Helper()
		p, err := evaluate([][]byte{[]byte(answers[i][1:])}, nil)
		if answers[i][0] != '+' || err != nil {
			t.Fatalf("answer %d: %q, %v", i, answers[i], err)
		}
		if have := toStacks(p); strings.Join(have, "\n") != strings.Join(want, "\n") {
			t.Errorf("answer %d: %q, want %q", i, have, want)
		}
	}
	if answers[0] != "+"+string(one) {
		t.Errorf("a profile that google/pprof wrote came back changed: %q", answers[0])
	}
	check(1, "1: a;log;main", "2: b;log;main")
	check(2, "3: main")
	if want := "+GO PREPROFILE V1\nlog\na\n1 1\n"; answers[3] != want {
		t.Errorf("%q, want %q", answers[3], want)
	}
}

func TestDiffAnswersWithErrors(t *testing.T) {
	one := cpu(nil, "1: a;main")
	for _, c := range []struct {
		frames [][]byte
		want   string
	}{
		{nil, "-a request without a frame"},
		{[][]byte{[]byte(`nonsense`), one}, "-reading the request's JSON: invalid character"},
		{[][]byte{[]byte(`{"step":[]}`), one}, "-reading the request's JSON: json: unknown field"},
		{[][]byte{[]byte(`{"answer":"poem"}`), one}, "-no such answer"},
		{[][]byte{[]byte(`{"steps":[{"op":"split"}]}`), one}, "-no such step"},
		{[][]byte{[]byte(`{"steps":[{"op":"prune"}]}`), one}, "-a prune step without drop"},
		{[][]byte{[]byte(`{"steps":[{"op":"prune","drop":"("}]}`), one}, "-error parsing regexp"},
		{[][]byte{[]byte(`{"steps":[{"op":"merge"}]}`)}, "-no profiles to merge"},
		{[][]byte{[]byte(`{}`), one, one}, "-2 profiles are left"},
		{[][]byte{[]byte(`{}`), []byte("garbage")}, "-parsing profile: unrecognized profile format"},
		{[][]byte{[]byte(`{"answer":"preprofile"}`), []byte("garbage")}, "-error parsing profile"},
	} {
		if have := ask(t, c.frames)[0]; !strings.HasPrefix(have, c.want) {
			t.Errorf("%q: %q, want %q", c.frames, have, c.want)
		}
	}
}

// Whatever the profiles are, each request has one answer and the next is heard.
func TestDiffSurvives(t *testing.T) {
	var whole [][]byte
	for _, p := range probes() {
		whole = append(whole, p.inputs...)
	}
	random := rand.New(rand.NewSource(1))
	var requests [][][]byte
	for range 3000 {
		a, b := bytes.Clone(whole[random.Intn(len(whole))]), whole[random.Intn(len(whole))]
		for range random.Intn(4) {
			if len(a) > 0 {
				a[random.Intn(len(a))] = byte(random.Int())
			}
		}
		requests = append(requests, [][]byte{[]byte(`{"steps":[{"op":"prune","drop":"a"},{"op":"merge"}]}`), a, b})
	}
	refused := 0
	for i, answer := range ask(t, requests...) {
		if strings.HasPrefix(answer, "-panic") {
			t.Logf("request %d: %s", i, answer)
		}
		if answer[0] == '-' {
			refused++
		}
	}
	if refused == 0 || refused == len(requests) {
		t.Errorf("%d of %d requests were refused: the inputs try nothing", refused, len(requests))
	}
}

func TestDiffEndsAtABrokenFrame(t *testing.T) {
	whole := framed([][]byte{[]byte(`{}`), cpu(nil, "1: a;main")})
	for cut := 1; cut < len(whole); cut += 7 {
		if err := runDiff(nil, bytes.NewReader(whole[:cut]), io.Discard); err == nil {
			t.Errorf("%d of %d bytes were taken for whole requests", cut, len(whole))
		}
	}
	huge := []byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}
	if err := runDiff(nil, bytes.NewReader(huge), io.Discard); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("a frame of 4 GiB: %v", err)
	}
}
