package gateway

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// The documents in docs are held against the table of operations, and against
// what wire encodes.

// elsewhere are routes beside the table, and what serves them.
var elsewhere = map[string]string{
	"get /v1/ws": opConnect, "post /v1/users/{user}/disconnect": opDisconnect,
	"get /healthz": "healthz", "get /readyz": "readyz", "post /dev/token": "dev_token",
}

// document is a YAML file, or a part of one.
type document map[string]any

func readDocument(t *testing.T, name string) document {
	t.Helper()
	p, err := os.ReadFile(filepath.Join("..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := yaml.Unmarshal(p, &d); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return d
}

// at is the part under the names, nil when there is none.
func (d document) at(names ...string) document {
	for _, name := range names {
		switch next := d[name].(type) {
		case document:
			d = next
		case map[string]any:
			d = next
		default:
			return nil
		}
	}
	return d
}

func (d document) text(name string) string {
	s, _ := d[name].(string)
	return s
}

func (d document) list(name string) []string {
	var out []string
	all, _ := d[name].([]any)
	for _, v := range all {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// schemas resolves references within both documents.
type schemas struct{ open, async document }

func newSchemas(t *testing.T) schemas {
	t.Helper()
	return schemas{readDocument(t, "openapi.yaml"), readDocument(t, "asyncapi.yaml")}
}

func (s schemas) named(name string) document {
	if d := s.open.at("components", "schemas", name); d != nil {
		return d
	}
	return s.async.at("components", "schemas", name)
}

// follow is the schema that d refers to, or d.
func (s schemas) follow(d document) document {
	if ref := d.text("$ref"); ref != "" {
		return s.named(ref[strings.LastIndex(ref, "/")+1:])
	}
	return d
}

// fields are an object schema's properties and which of them are required, those of
// its parts among them.
func (s schemas) fields(d document) (props document, required []string) {
	d = s.follow(d)
	props = document{}
	maps.Copy(props, d.at("properties"))
	required = d.list("required")
	parts, _ := d["allOf"].([]any)
	for _, part := range parts {
		p, r := s.fields(part.(document))
		maps.Copy(props, p)
		required = append(required, r...)
	}
	return props, required
}

// fits tells what keeps a value from fitting a schema. What an object has beside
// its properties does.
func (s schemas) fits(d document, v any, where string) error {
	d = s.follow(d)
	if d == nil {
		return fmt.Errorf("%s: there is no such schema", where)
	}
	for _, name := range []string{"oneOf", "anyOf"} {
		if choices, ok := d[name].([]any); ok {
			var errs []string
			for _, c := range choices {
				err := s.fits(c.(document), v, where)
				if err == nil {
					return nil
				}
				errs = append(errs, err.Error())
			}
			return fmt.Errorf("%s: %s", where, strings.Join(errs, "; "))
		}
	}
	if want, ok := d["const"]; ok && want != v {
		return fmt.Errorf("%s: %v is not %v", where, v, want)
	}
	if enum := d.list("enum"); enum != nil && !slices.Contains(enum, fmt.Sprint(v)) {
		return fmt.Errorf("%s: %v is none of %v", where, v, enum)
	}
	switch v := v.(type) {
	case map[string]any:
		return s.fitsObject(d, v, where)
	case []any:
		for i, one := range v {
			if err := s.fits(d.at("items"), one, where+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
		return typed(d, "array", where)
	case string:
		if p := d.text("pattern"); p != "" && !regexp.MustCompile(p).MatchString(v) {
			return fmt.Errorf("%s: %q does not match %s", where, v, p)
		}
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", v); err != nil && d.text("format") == "date-time" {
			return fmt.Errorf("%s: %w", where, err)
		}
		return typed(d, "string", where)
	case float64:
		return typed(d, "integer", where)
	case bool:
		return typed(d, "boolean", where)
	}
	return typed(d, "null", where)
}

func typed(d document, want, where string) error {
	if have := d.text("type"); have != want && d["const"] == nil {
		return fmt.Errorf("%s: is of type %s, not %s", where, want, have)
	}
	return nil
}

func (s schemas) fitsObject(d document, v map[string]any, where string) error {
	props, required := s.fields(d)
	for _, name := range required {
		if _, ok := v[name]; !ok {
			return fmt.Errorf("%s: %s is missing", where, name)
		}
	}
	for name, one := range v {
		schema := props.at(name)
		if schema == nil {
			schema = d.at("additionalProperties")
		}
		if schema == nil {
			return fmt.Errorf("%s: %s is not documented", where, name)
		}
		if err := s.fits(schema, one, where+"."+name); err != nil {
			return err
		}
	}
	if d["allOf"] != nil {
		return nil
	}
	return typed(d, "object", where)
}

// TestRoutesAreDocumented: the table's routes, those beside it, and no others.
func TestRoutesAreDocumented(t *testing.T) {
	s := newSchemas(t)
	want := maps.Clone(elsewhere)
	status := map[string]int{}
	for _, op := range operations() {
		for _, rt := range op.routes {
			at := strings.ToLower(rt.method) + " " + rt.path
			want[at], status[at] = op.name, rt.status
		}
	}
	have, ids := map[string]string{}, map[string]bool{}
	for path := range s.open.at("paths") {
		for method := range s.open.at("paths", path) {
			at, op := method+" "+path, s.open.at("paths", path, method)
			have[at] = op.text("x-op")
			if id := op.text("operationId"); id == "" || ids[id] {
				t.Errorf("%s: operationId %q", at, id)
			} else {
				ids[id] = true
			}
			if code := status[at]; code != 0 {
				schema := op.at("responses", strconv.Itoa(code), "content", "application/json", "schema")
				if props, _ := s.fields(schema); schema == nil || s.follow(schema) == nil || props == nil {
					t.Errorf("%s: no answer is documented for %d", at, code)
				}
			}
			var inPath []string
			params, _ := op["parameters"].([]any)
			for _, p := range params {
				if p := p.(document); p.text("in") == "path" {
					inPath = append(inPath, "{"+p.text("name")+"}")
				}
			}
			if named := regexp.MustCompile(`\{\w+\}`).FindAllString(path, -1); !slices.Equal(named, inPath) {
				t.Errorf("%s: parameters %v", at, inPath)
			}
			s.knownFields(t, at, op.at("requestBody", "content", "application/json", "schema"))
		}
	}
	for at, name := range want {
		if have[at] != name {
			t.Errorf("%s is %s, documented as %q", at, name, have[at])
		}
	}
	for at, name := range have {
		if want[at] == "" && !slices.Contains(joining, name) {
			t.Errorf("%s (%s) is documented and not served", at, name)
		}
	}
}

// knownFields finds request fields that the decoder does not know: it takes no
// notice of their type.
func (s schemas) knownFields(t *testing.T, where string, schema document) {
	t.Helper()
	props, required := s.fields(schema)
	for name := range props {
		object, list := new(wire.Request), new(wire.Request)
		if wire.JSON.Decode([]byte(`{"`+name+`":{}}`), object) != nil || wire.JSON.Decode([]byte(`{"`+name+`":[]}`), list) != nil {
			t.Fatal(name)
		}
		if !object.Fault.Err() && !list.Fault.Err() {
			t.Errorf("%s: %s is not a field of requests", where, name)
		}
	}
	for _, name := range required {
		if props[name] == nil {
			t.Errorf("%s: %s is required and not described", where, name)
		}
	}
}

// TestOperationsAreDocumented: each op that can be had over WebSocket has a message
// and an operation with its answer, and there are no others.
func TestOperationsAreDocumented(t *testing.T) {
	s := newSchemas(t)
	messages, ops := s.async.at("components", "messages"), s.async.at("operations")
	known := map[string]bool{}
	for _, op := range operations() {
		if op.socketless {
			continue
		}
		known[op.name] = true
		m := messages.at(op.name)
		if m.text("x-op") != op.name || m.at("payload", "properties", "op").text("const") != op.name {
			t.Errorf("%s: message %v", op.name, m)
		}
		if o := ops.at(op.name); o.text("action") != "receive" || s.follow(o.at("x-ok")) == nil {
			t.Errorf("%s: operation %v", op.name, o)
		}
		s.knownFields(t, op.name, m.at("payload"))
		for _, rt := range op.routes { // both tell of one answer
			http := s.open.at("paths", rt.path, strings.ToLower(rt.method), "responses", strconv.Itoa(rt.status), "content", "application/json", "schema")
			if o := ops.at(op.name, "x-ok"); !reflect.DeepEqual(s.follow(o), s.follow(http)) {
				t.Errorf("%s: %s over WebSocket, %s over HTTP", op.name, o.text("$ref"), http.text("$ref"))
			}
		}
	}
	listed := s.async.at("channels", "socket", "messages")
	for name := range messages {
		if op := messages.at(name).text("x-op"); op != "" && !known[op] && !slices.Contains(joining, op) {
			t.Errorf("%s is documented and not served", op)
		}
		if ref := listed.at(name).text("$ref"); ref != "#/components/messages/"+name {
			t.Errorf("the channel has no %s", name)
		}
	}
	if len(listed) != len(messages) {
		t.Errorf("the channel has %d messages of %d", len(listed), len(messages))
	}
}

// encoded is what a client gets of an object.
func encoded(t *testing.T, p []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(p, &v); err != nil {
		t.Fatalf("%s: %v", p, err)
	}
	return v
}

// Examples as full and as bare as they get.
var (
	docTime    = time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.UTC)
	docMedia   = []wire.Media{{URL: "https://a.example/b", Type: "image/png", Size: 7}}
	docJob     = wire.Job{Title: "Baker", Category: "food", Location: "Ghent", SalaryMin: 1, SalaryMax: 2, Currency: "EUR", Closes: docTime}
	docPost    = wire.Post{ID: 5, Author: "ann", Kind: "job", Text: "hi", At: docTime, Followers: true, Media: docMedia, Edited: docTime, Job: &docJob, Name: "Ann", Avatar: "https://a.example/a"}
	docBare    = wire.Post{ID: 5, Author: "ann", Kind: "post", At: docTime}
	docComment = wire.Comment{ID: 6, Post: 5, Author: "ann", Text: "hi", At: docTime, Name: "Ann"}
	docNote    = wire.Notification{ID: 9, Kind: wire.KindLike, Actor: "ann", Post: 5, Comment: 6, At: docTime, Count: 2, Actors: []string{"ann"}, Name: "Ann"}
	docMessage = wire.Message{ID: 8, Conversation: 7, From: "ann", Text: "hi", At: docTime, Reply: 6, Media: docMedia, Name: "Ann"}
	docQuery   = wire.Query{Q: "a", Category: "b", Location: "c", SalaryMin: 1, SalaryMax: 2, Currency: "EUR"}
	docSearch  = wire.Search{ID: 3, Name: "n", Query: docQuery}
	docProfile = wire.Profile{User: "ann", Handle: "a", Name: "Ann", Avatar: "https://a", Email: "a@b", Phone: "+321234567", Subject: "s"}
	docSeen    = wire.Seen{User: "ann", Got: 2, Read: 1}
	docPresent = wire.Presence{User: "ann", Seen: docTime}
	docTalk    = wire.Conversation{ID: 7, Members: []string{"ann"}, Last: &docMessage, Unread: 1, Read: 3}
	docPage    = wire.Page{Posts: []wire.Post{docPost}, Next: 4}
)

// TestObjectsAreDocumented: an object's documented properties are what it can have,
// and those it always has are required.
func TestObjectsAreDocumented(t *testing.T) {
	s := newSchemas(t)
	shown := map[string]bool{}
	for _, tc := range []struct {
		name       string
		full, bare wire.Object
	}{
		{"Post", &docPost, &docBare},
		{"Media", &docMedia[0], &wire.Media{}},
		{"Job", &docJob, &wire.Job{Title: "Baker"}},
		{"Comment", &docComment, &wire.Comment{ID: 6, Post: 5, Author: "ann", At: docTime}},
		{"Notification", &docNote, &wire.Notification{ID: 9, Kind: "follow", Actor: "ann", At: docTime}},
		{"Message", &docMessage, &wire.Message{ID: 8, Conversation: 7, From: "ann", At: docTime}},
		{"Conversation", &docTalk, &wire.Conversation{ID: 7}},
		{"Seen", &docSeen, &wire.Seen{User: "ann"}},
		{"Profile", &docProfile, &wire.Profile{User: "ann"}},
		{"Search", &docSearch, &wire.Search{ID: 3}},
		{"Query", &docQuery, &wire.Query{}},
		{"Presence", &docPresent, &wire.Presence{User: "ann", Online: true}},
		{"Counts", wire.Counts{Feed: 1}, wire.Counts{}},
		{"Error", &wire.Error{Code: "conflict", Message: "no", Retry: time.Second}, &wire.Error{Code: "internal", Message: "no"}},

		{"Empty", wire.Empty{}, wire.Empty{}},
		{"Posted", &wire.Posted{Post: docPost}, &wire.Posted{Post: docBare}},
		{"Page", &docPage, &wire.Page{}},
		{"Jobs", &wire.Jobs{Posts: []wire.Post{docPost}, Next: "a"}, &wire.Jobs{}},
		{"Liked", wire.Liked{Likes: 1}, wire.Liked{}},
		{"Commented", &wire.Commented{Comment: docComment}, &wire.Commented{Comment: docComment}},
		{"Comments", &wire.Comments{Comments: []wire.Comment{docComment}, Next: 4}, &wire.Comments{}},
		{"Notifications", &wire.Notifications{Notifications: []wire.Notification{docNote}, Next: 4}, &wire.Notifications{}},
		{"Sent", &wire.Sent{Message: docMessage}, &wire.Sent{Message: docMessage}},
		{"Conversations", &wire.Conversations{Conversations: []wire.Conversation{docTalk}, Next: 4}, &wire.Conversations{}},
		{"Messages", &wire.Messages{Messages: []wire.Message{docMessage}, Next: 4, Seen: []wire.Seen{docSeen}}, &wire.Messages{}},
		{"Got", wire.Got{Upto: 1}, wire.Got{}},
		{"Followed", wire.Followed{Since: 1}, wire.Followed{Since: 1}},
		{"Users", &wire.Users{Users: []string{"ann"}, Next: "ann"}, &wire.Users{}},
		{"Counters", &wire.Counters{Chats: []wire.ChatCount{{Conversation: 7, Unread: 1}}, Stream: "a"}, &wire.Counters{}},
		{"Marked", &wire.Marked{Upto: 1, Stream: "a"}, &wire.Marked{}},
		{"Saved", &wire.Saved{Search: docSearch}, &wire.Saved{Search: docSearch}},
		{"Searches", &wire.Searches{Searches: []wire.Search{docSearch}}, &wire.Searches{}},
		{"Profiled", &wire.Profiled{Profile: docProfile}, &wire.Profiled{Profile: docProfile}},
		{"Present", &wire.Present{Presence: []wire.Presence{docPresent}}, &wire.Present{}},
		{"LoggedIn", &wire.LoggedIn{Token: "t", User: "ann", Expires: docTime}, &wire.LoggedIn{User: "ann", Expires: docTime}},
		{"Connected", &wire.Connected{User: "ann", Feed: &docPage}, &wire.Connected{User: "ann"}},
		{"Refreshed", wire.Refreshed{Expires: docTime}, wire.Refreshed{Expires: docTime}},
	} {
		shown[tc.name] = true
		schema := s.named(tc.name)
		if schema == nil {
			t.Errorf("%s is not documented", tc.name)
			continue
		}
		full, bare := encoded(t, tc.full.AppendJSON(nil)), encoded(t, tc.bare.AppendJSON(nil))
		s.sameFields(t, tc.name, schema, full, bare)
	}
	for _, d := range []document{s.open, s.async} {
		for name := range d.at("components", "schemas") {
			if d.at("components", "schemas", name).text("type") == "object" && !shown[name] {
				t.Errorf("%s is documented and has no example", name)
			}
		}
	}
}

// sameFields holds a schema's properties to those of a full example, what it
// requires to those of a bare one, and both to its types.
func (s schemas) sameFields(t *testing.T, name string, schema document, full, bare map[string]any) {
	t.Helper()
	props, required := s.fields(schema)
	slices.Sort(required)
	required = slices.Compact(required)
	if have := slices.Sorted(maps.Keys(full)); !slices.Equal(have, slices.Sorted(maps.Keys(props))) {
		t.Errorf("%s has %v, documented are %v", name, have, slices.Sorted(maps.Keys(props)))
	}
	if have := slices.Sorted(maps.Keys(bare)); !slices.Equal(have, required) {
		t.Errorf("%s always has %v, required are %v", name, have, required)
	}
	for _, v := range []map[string]any{full, bare} {
		if err := s.fits(schema, v, name); err != nil {
			t.Error(err)
		}
	}
}

// TestEventsAreDocumented: every event and every frame, as wire encodes them.
func TestEventsAreDocumented(t *testing.T) {
	s := newSchemas(t)
	messages := s.async.at("components", "messages")
	frame := func(f wire.Frame) map[string]any { return encoded(t, wire.JSON.AppendFrame(nil, &f)) }
	for name, f := range map[string]wire.Frame{
		"ok":               {Kind: wire.Reply, OK: &docPage},
		"error":            {Kind: wire.Failure, Err: &wire.Error{Code: "conflict", Message: "no"}},
		"unread_changed":   {Kind: wire.Unread},
		"heartbeat":        {Kind: wire.Heartbeat},
		"reset":            {Kind: wire.ResetFrame, Reset: wire.Reset{Stream: "a", Reason: string(feedengine.ResetHistoryLost)}},
		"bye":              {Kind: wire.Goodbye, Bye: wire.ByeFor(wire.CloseDraining)},
		"typing_shown":     {Kind: wire.TypingFrame, Typing: &wire.Typing{Conversation: 7, User: "ann"}},
		"presence_changed": {Kind: wire.PresenceFrame, Presence: &docPresent},
	} {
		v := frame(f)
		s.sameFields(t, name, messages.at(name, "payload"), v, v)
	}
	for _, code := range []wire.CloseCode{
		wire.CloseInternal, wire.CloseOverloaded, wire.CloseSlow, wire.CloseRateLimited, wire.CloseDraining, wire.CloseHeartbeat,
		wire.CloseExpired, wire.CloseBadToken, wire.CloseRevoked, wire.CloseVersion, wire.CloseProtocol, wire.CloseTooBig,
	} {
		if err := s.fits(messages.at("bye", "payload"), frame(wire.Frame{Kind: wire.Goodbye, Bye: wire.ByeFor(code)}), "bye"); err != nil {
			t.Error(err)
		}
	}
	bareNote := wire.Notification{ID: 9, Kind: "follow", Actor: "ann", At: docTime}
	bareMessage := wire.Message{ID: 8, Conversation: 7, From: "ann", At: docTime}
	documented := map[string]bool{}
	for _, tc := range []struct{ full, bare wire.Event }{
		{wire.Event{Type: wire.EventPost, Post: &docPost}, wire.Event{Type: wire.EventPost, Post: &docBare}},
		{wire.Event{Type: wire.EventPostEdited, Post: &docPost}, wire.Event{Type: wire.EventPostEdited, Post: &docBare}},
		{wire.Event{Type: wire.EventPostDeleted, Target: 5}, wire.Event{Type: wire.EventPostDeleted, Target: 5}},
		{wire.Event{Type: wire.EventNotification, Notification: &docNote}, wire.Event{Type: wire.EventNotification, Notification: &bareNote}},
		{wire.Event{Type: wire.EventNotificationDeleted, Target: 9}, wire.Event{Type: wire.EventNotificationDeleted, Target: 9}},
		{wire.Event{Type: wire.EventMessage, Message: &docMessage}, wire.Event{Type: wire.EventMessage, Message: &bareMessage}},
		{wire.Event{Type: wire.EventReceipt, Conversation: 7, User: "ann"}, wire.Event{Type: wire.EventReceipt, Conversation: 7, User: "ann"}},
		{wire.Event{Type: wire.EventRead, Of: "messages", Conversation: 7}, wire.Event{Type: wire.EventRead, Of: "feed"}},
		{wire.Event{Type: wire.EventHidden, User: "ann"}, wire.Event{Type: wire.EventHidden, User: "ann"}},
		{wire.Event{Type: wire.EventShown, User: "ann"}, wire.Event{Type: wire.EventShown, User: "ann"}},
		{wire.Event{Type: wire.EventVoid}, wire.Event{Type: wire.EventVoid}},
	} {
		name := "event_" + string(tc.full.Type)
		documented[name] = true
		m := messages.at(name)
		if m.text("x-event") != string(tc.full.Type) {
			t.Errorf("%s: %v", name, m)
			continue
		}
		s.sameFields(t, name, m.at("payload", "properties", "event"), encoded(t, tc.full.AppendJSON(nil)), encoded(t, tc.bare.AppendJSON(nil)))
		counted := tc.full.Type != wire.EventVoid
		body := wire.JSON.AppendBody(nil, &tc.full)
		if err := s.fits(m.at("payload"), encoded(t, append(wire.JSON.AppendHead(nil, 7, wire.Counts{}, counted, len(body)), body...)), name); err != nil {
			t.Error(err)
		}
	}
	for name := range messages {
		if messages.at(name).text("x-event") != "" && !documented[name] {
			t.Errorf("%s is documented and not sent", name)
		}
	}
}

// TestErrorsAreDocumented: every code, and no other.
func TestErrorsAreDocumented(t *testing.T) {
	var want []string
	for _, c := range []feedengine.Code{
		feedengine.BadRequest, feedengine.Unauthorized, feedengine.Forbidden, feedengine.NotFound, feedengine.Conflict,
		feedengine.TooLarge, feedengine.RateLimited, feedengine.Overloaded, feedengine.Unavailable, feedengine.Internal,
	} {
		want = append(want, string(c))
		if status := statusOf(c); status == http.StatusInternalServerError && c != feedengine.Internal {
			t.Errorf("%s has no status", c)
		}
	}
	if have := newSchemas(t).named("Error").at("properties", "code").list("enum"); !slices.Equal(have, want) {
		t.Errorf("documented are %v, there are %v", have, want)
	}
}

// joining are operations that are documented before they join the table.
var joining = []string{"typing", "presence", "profile", "put_profile", "password", "login"}
