package scenario

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestShippedScenariosAreGood(t *testing.T) {
	if len(Names()) < 5 {
		t.Errorf("only %v come with the program", Names())
	}
	for _, name := range Names() {
		s, err := Load(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s.Name != name || s.About == "" {
			t.Errorf("%s calls itself %q: %q", name, s.Name, s.About)
		}
	}
	if _, err := Load("none"); err == nil || !strings.Contains(err.Error(), "steady") {
		t.Errorf("a name that is not there: %v", err)
	}
}

func TestDefaults(t *testing.T) {
	s, err := Parse([]byte(`{"name":"x","steps":[{"do":"post","rate":1},{"do":"drop","at":["1s"]},{"do":"pause","at":["2s"],"share":0.1}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if s.Duration.D() != 30*time.Second || s.Ramp != 2700 || s.Steps[0].By != Anyone || s.Steps[0].Size != 160 ||
		s.Steps[1].Share != 1 || s.Steps[2].Share != 0.1 || s.Steps[2].For.D() != 5*time.Second {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsWrongIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no name":                 `{}`,
		"an unknown field":        `{"name":"x","stpes":[]}`,
		"an unknown verb":         `{"name":"x","steps":[{"do":"dance","rate":1}]}`,
		"neither rate nor times":  `{"name":"x","steps":[{"do":"post"}]}`,
		"both rate and times":     `{"name":"x","steps":[{"do":"post","rate":1,"at":["1s"]}]}`,
		"a negative rate":         `{"name":"x","steps":[{"do":"post","rate":-1}]}`,
		"times that go back":      `{"name":"x","steps":[{"do":"post","at":["2s","1s"]}]}`,
		"a text that is too long": `{"name":"x","steps":[{"do":"post","rate":1,"size":8001}]}`,
		"a text too short":        `{"name":"x","steps":[{"do":"post","rate":1,"size":10}]}`,
		"a share above all":       `{"name":"x","steps":[{"do":"drop","at":["1s"],"share":2}]}`,
		"a share of a rate":       `{"name":"x","steps":[{"do":"drop","rate":1,"share":1}]}`,
		"by somebody else":        `{"name":"x","steps":[{"do":"post","rate":1,"by":"me"}]}`,
		"no duration":             `{"name":"x","duration":"0s"}`,
		"no ramp":                 `{"name":"x","ramp":0}`,
		"unfollow, not read":      `{"name":"x","steps":[{"do":"unfollow","rate":1}]}`,
		"two objects":             `{"name":"x"}{}`,
		"not JSON":                `name: x`,
	} {
		if s, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: accepted as %+v", name, s)
		}
	}
}

// FuzzParse holds that what is accepted is valid, and the same when written out.
func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		p, err := shipped.ReadFile("shipped/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p)
	}
	f.Add([]byte(`{"name":"x","steps":[{"do":"pause","at":["2s"],"share":1e-3}]}`))
	f.Fuzz(func(t *testing.T, p []byte) {
		s, err := Parse(p)
		if err != nil {
			return
		}
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
		out, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(out)
		if err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if b, _ := json.Marshal(again); string(b) != string(out) {
			t.Errorf("%s became %s", out, b)
		}
	})
}
