package schedule

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/feedgate/feedgate/loadgen/scenario"
)

func load(t testing.TB, text string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const mixture = `{"name":"x","duration":"10s","steps":[
	{"do":"post","rate":30},{"do":"post","by":"celebrity","at":["1s","9s","10s","11s"]},
	{"do":"read","rate":7.5},{"do":"drop","at":["5s"],"share":0.25}]}`

func TestThePlanIsWorkedOffInOrder(t *testing.T) {
	p := New(load(t, mixture), 1, 1000)
	if p.Posts() != 302 || p.Tasks() != 302+75+1 {
		t.Fatalf("%d posts, %d tasks", p.Posts(), p.Tasks())
	}
	c, other := p.Cursor(), p.Cursor()
	last, n := time.Duration(0), 0
	seen := map[int]bool{}
	for {
		task, ok := c.Next()
		again, _ := other.Next()
		if task != again {
			t.Fatalf("%+v, and another time %+v", task, again)
		}
		if !ok {
			break
		}
		n++
		if task.At < last || task.At >= 10*time.Second {
			t.Errorf("%v comes after %v", task.At, last)
		}
		last = task.At
		if task.Post >= 0 {
			if seen[task.Post] {
				t.Errorf("two posts are number %d", task.Post)
			}
			seen[task.Post] = true
			if got, ok := p.Post(task.Post); !ok || got != task {
				t.Errorf("Post(%d) is %+v, want %+v", task.Post, got, task)
			}
			if task.Step.By == scenario.Celebrity && task.Actor != 0 {
				t.Errorf("user %d posts as the celebrity", task.Actor)
			}
		}
		if task.Actor != Everybody && task.Actor >= 1000 {
			t.Errorf("user %d acts", task.Actor)
		}
	}
	if n != p.Tasks() || len(seen) != p.Posts() {
		t.Errorf("%d tasks, %d posts", n, len(seen))
	}
	for _, number := range []int{-1, p.Posts()} {
		if _, ok := p.Post(number); ok {
			t.Errorf("there is a post number %d", number)
		}
	}
}

func TestTheRateIsEvenAndStartsWithTheRun(t *testing.T) {
	p := New(load(t, `{"name":"x","duration":"10s","steps":[{"do":"post","rate":100}]}`), 1, 10)
	for k := 1; k < p.Posts(); k++ {
		a, _ := p.Post(k - 1)
		b, _ := p.Post(k)
		if d := b.At - a.At; math.Abs(float64(d-10*time.Millisecond)) > 1000 {
			t.Fatalf("from %d to %d it is %v", k-1, k, d)
		}
	}
}

func TestAShareIsAboutThatPartAndAnotherEachTime(t *testing.T) {
	p := New(load(t, `{"name":"x","duration":"10s","steps":[{"do":"drop","at":["1s","2s"],"share":0.25}]}`), 1, 10)
	c := p.Cursor()
	a, _ := c.Next()
	b, _ := c.Next()
	inA, inBoth := 0, 0
	for u := range uint32(20_000) {
		if a.Picks(u) {
			inA++
			if b.Picks(u) {
				inBoth++
			}
		}
	}
	if inA < 4_700 || inA > 5_300 || inBoth < 1_050 || inBoth > 1_450 {
		t.Errorf("%d of 20000 are picked, %d of them the second time too", inA, inBoth)
	}
	whole := Task{Step: &scenario.Step{Share: 1}}
	for u := range uint32(1000) {
		if !whole.Picks(u) {
			t.Fatalf("user %d is not among all", u)
		}
	}
}

func TestTextSaysWhatItIs(t *testing.T) {
	for _, number := range []int{0, 7, 999_999, 12_345_678} {
		for _, size := range []int{scenario.MinText, 160, 8000} {
			text := Text(0xdeadbeef, number, size)
			run, got, ok := Number(text)
			if !ok || run != 0xdeadbeef || got != number || len(text) != size || strings.TrimSpace(text) != text {
				t.Errorf("%q is %x, %d, %v with %d bytes", text, run, got, ok, len(text))
			}
		}
	}
	if Text(1, 2, 100) == Text(1, 3, 100) || Text(1, 2, 100)[30:] == Text(2, 2, 100)[30:] {
		t.Error("two posts have the same filling")
	}
}

// FuzzNumber holds that texts of others are not taken for ours.
func FuzzNumber(f *testing.F) {
	f.Add(Text(1, 2, 64))
	f.Add("loadgen 00000001 x")
	f.Add("loadgen 0000000g 1")
	f.Add("loadgen ")
	f.Fuzz(func(t *testing.T, text string) {
		run, number, ok := Number(text)
		if ok && number >= 0 && len(text) >= scenario.MinText && len(text) <= 200 {
			want := Text(run, number, len(text))
			if r, n, ok := Number(want); !ok || r != run || n != number {
				t.Errorf("%q says %x, %d; the text for that says %x, %d, %v", text, run, number, r, n, ok)
			}
		}
	})
}
