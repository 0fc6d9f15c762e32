package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

const (
	counts9  = `{"feed":4,"notifications":0,"messages":0,"v":9}`
	postHead = `{"id":"7000000001","author":"bob","kind":"post","text":`
)

func postTail() string {
	return `,"at":"` + testID.Time().Format("2006-01-02T15:04:05.000Z") + `","likes":0,"comments":0}`
}

func TestConnect(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	c.send(`{"id":1,"op":"connect","token":"ok:u42","resume":{"stream":"a9f3","n":1042},"feed":20}`)
	c.want(`{"re":1,"ok":{"user":"u42","stream":"b1","n":7,"resumed":false,"replay":0,` +
		`"unread":` + counts9 + `,"heartbeat_ms":25000,` +
		`"feed":{"posts":[{"id":"7000000001","author":"alice","kind":"post","text":"hi"` + postTail() + `],"next":"5"}}}`)
	a := find[feedengine.Attach](t, r.shards)
	if a.Page != 20 || a.Resume == nil || *a.Resume != (feedengine.Resume{Stream: 0xa9f3, N: 1042}) {
		t.Errorf("the shard was asked %+v", a)
	}
	if err := c.c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("close: %v", err)
	}
	if d := find[feedengine.Detach](t, r.shards); d.Session != a.Session {
		t.Errorf("detached %d, want %d", d.Session, a.Session)
	}
}

func TestConnectByHeader(t *testing.T) {
	r := newRig(t)
	c := r.dial("Authorization", "Bearer ok:u1")
	c.send(`{"id":1,"op":"connect","resume":{"stream":"no stream of ours","n":3}}`)
	c.want(`{"re":1,"ok":{"user":"u1","stream":"b1","n":7,"resumed":false,"replay":0,"unread":` + counts9 + `,"heartbeat_ms":25000}}`)
	if a := find[feedengine.Attach](t, r.shards); a.Resume != nil {
		t.Errorf("the shard was asked to resume %+v", a.Resume)
	}
}

// TestRequests holds every operation to its reply, and to what a shard is asked.
func TestRequests(t *testing.T) {
	post := func(text string) string { return `{"post":` + postHead + text + postTail() + `}` }
	long := strings.Repeat("x", 8000)
	then := `"` + testID.Time().Format("2006-01-02T15:04:05.000Z") + `"`
	for _, tc := range []struct {
		name, frame string
		reply       string // after {"re":5,
		asks        string // the action, by %+v; "" when no shard is asked
	}{
		{"publish", `{"id":5,"op":"publish","text":" hello\n","key":"k1","kind":"post","media":[],"x":{"a":[1,"}"]}}`,
			`"ok":` + post(`"hello"`), `{Text:hello Kind:post Key:k1 More:<nil>}`},
		{"publish the longest", `{"id":5,"op":"publish","text":"  ` + long + `  "}`, `"ok":` + post(`"`+long+`"`), `{Text:` + long + ` Kind:post Key: More:<nil>}`},
		{"delete", `{"id":5,"op":"delete","post":"12"}`, `"ok":{}`, `{Post:12}`},
		{"follow", `{"id":5,"op":"follow","user":"ann"}`, `"ok":{"since":"77"}`, `{Users:[ann] Notify:true}`},
		{"follow many", `{"id":5,"op":"follow","users":["ann","zoe","ann"]}`, `"ok":{"since":"77"}`, `{Users:[ann zoe] Notify:false}`},
		{"unfollow", `{"id":5,"op":"unfollow","users":["ann"]}`, `"ok":{}`, `{Users:[ann]}`},
		{"read", `{"id":5,"op":"read","of":"feed","upto":"99"}`, `"ok":{"unread":` + counts9 + `,"upto":"99"}`, `{Of:feed Upto:99 Conversation:0}`},
		{"read zero", `{"id":5,"op":"read","of":"feed","upto":"0"}`, `"ok":{"unread":` + counts9 + `,"upto":"0"}`, `{Of:feed Upto:0 Conversation:0}`},
		{"read the far future", `{"id":5,"op":"read","of":"notifications","upto":"99999999999999999999"}`,
			`"ok":{"unread":` + counts9 + `,"upto":"9223372036854775807"}`, `{Of:notifications Upto:9223372036854775807 Conversation:0}`},
		{"unread", `{"id":5,"op":"unread"}`, `"ok":{"unread":` + counts9 + `,"conversations":{"77":2,"78":1}}`, `{}`},
		{"feed", `{"id":5,"op":"feed","limit":3}`, `"ok":{"posts":[` + postHead + `"line\u2028\"\\\u0001"` + postTail() + `],"next":"3"}`, ``},
		{"feed's end", `{"id":5,"op":"feed","before":"1"}`, `"ok":{"posts":[],"next":""}`, ``},
		{"publish a job", `{"id":5,"op":"publish","kind":"job","text":"bake","visibility":"followers","media":[{"url":"https://a.example/b","type":"image/png","size":3}],"job":{"title":" Baker ","salary_min":1,"salary_max":2,"currency":"EUR"}}`,
			`"ok":` + post(`"bake"`), `{Text:bake Kind:job Key: More:{Followers:true Media:[{URL:https://a.example/b Type:image/png Size:3}] Job:{Title:Baker Category: Location: SalaryMin:1 SalaryMax:2 Currency:EUR Closes:0001-01-01 00:00:00 +0000 UTC} Edited:0 Alerts:[]}}`},
		{"edit", `{"id":5,"op":"edit","post":"12","text":" new ","media":[],"visibility":"public"}`,
			`"ok":` + strings.TrimSuffix(post(`"edited"`), `}}`) + `,"edited":` + then + `}}`, `{Post:12 Text:new Media:[] Followers:false Job:<nil>}`},
		{"edit one thing", `{"id":5,"op":"edit","post":"12","visibility":"followers"}`,
			`"ok":` + strings.TrimSuffix(post(`"edited"`), `}}`) + `,"edited":` + then + `}}`, `{Post:12 Text:<nil> Media:<nil> Followers:true Job:<nil>}`},
		{"a post", `{"id":5,"op":"post","post":"12","expand":true}`,
			`"ok":{"post":{"id":"12","author":"alice","kind":"post","text":"hi","at":"2026-01-01T00:00:00.000Z","likes":0,"comments":0,"name":"Alice <i>","avatar":"https://a.example/a"}}`, ``},
		{"like", `{"id":5,"op":"like","post":"12"}`, `"ok":{"likes":12}`, `{Post:12 Off:false}`},
		{"unlike", `{"id":5,"op":"unlike","post":"12"}`, `"ok":{"likes":12}`, `{Post:12 Off:true}`},
		{"comment", `{"id":5,"op":"comment","post":"12","text":" <b>hi</b> ","key":"k"}`,
			`"ok":{"comment":{"id":"7000000001","post":"12","author":"bob","text":"<b>hi</b>","at":` + then + `}}`, `{Post:12 Text:<b>hi</b> Key:k}`},
		{"comments", `{"id":5,"op":"comments","post":"12","limit":3,"expand":true}`,
			`"ok":{"comments":[{"id":"7000000001","post":"12","author":"alice","text":"<b>","at":` + then + `,"name":"Alice <i>"}],"next":"5"}`, ``},
		{"notifications", `{"id":5,"op":"notifications","expand":true}`,
			`"ok":{"notifications":[{"id":"7000000001","kind":"like","actor":"alice","post":"12","at":` + then + `,"count":5,"actors":["alice","zoe"],"name":"Alice <i>"},` +
				`{"id":"7000000001","kind":"follow","actor":"zoe","at":` + then + `}],"next":"5"}`, ``},
		{"message", `{"id":5,"op":"message","to":"ann","text":"hi","reply":"3","media":[{"url":"http://a/b"}],"key":"k"}`,
			`"ok":{"message":{"id":"7000000001","conversation":"77","from":"bob","text":"hi","at":` + then + `,"reply":"3","media":[{"url":"http://a/b","type":"","size":0}]}}`,
			`{To:[ann] Conversation:0 Text:hi Media:[{URL:http://a/b Type: Size:0}] Reply:3 Key:k}`},
		{"message to several", `{"id":5,"op":"message","to":["zoe","ann","bob","ann"],"text":"hi"}`,
			`"ok":{"message":{"id":"7000000001","conversation":"77","from":"bob","text":"hi","at":` + then + `}}`,
			`{To:[ann zoe] Conversation:0 Text:hi Media:[] Reply:0 Key:}`},
		{"message to 256", `{"id":5,"op":"message","to":[` + others(255) + `],"text":"hi"}`,
			`"ok":{"message":{"id":"7000000001","conversation":"77","from":"bob","text":"hi","at":` + then + `}}`, `255 others`},
		{"message to a conversation", `{"id":5,"op":"message","conversation":"77","text":"hi"}`,
			`"ok":{"message":{"id":"7000000001","conversation":"77","from":"bob","text":"hi","at":` + then + `}}`,
			`{To:[] Conversation:77 Text:hi Media:[] Reply:0 Key:}`},
		{"conversations", `{"id":5,"op":"conversations"}`,
			`"ok":{"conversations":[{"id":"77","members":["alice","bob"],"last":{"id":"7000000001","conversation":"77","from":"alice","text":"hi","at":` + then +
				`},"unread":2,"read":"9"},{"id":"78","members":["bob","zoe"],"last":null,"unread":0,"read":"0"}],"next":"5"}`, ``},
		{"messages", `{"id":5,"op":"messages","conversation":"77","expand":true}`,
			`"ok":{"messages":[{"id":"7000000001","conversation":"77","from":"alice","text":"hi","at":` + then + `,"reply":"3","name":"Alice <i>"}],"next":"5","seen":[{"user":"alice","got":"9","read":"0"}]}`, ``},
		{"messages' end", `{"id":5,"op":"messages","conversation":"77","before":"1"}`, `"ok":{"messages":[],"next":"","seen":[]}`, ``},
		{"read messages", `{"id":5,"op":"read","of":"messages","conversation":"77","upto":"9"}`, `"ok":{"unread":` + counts9 + `,"upto":"9"}`, `{Of:messages Upto:9 Conversation:77}`},
		{"received", `{"id":5,"op":"received","conversation":"77","upto":"9"}`, `"ok":{"upto":"9"}`, `{Conversation:77 Upto:9}`},
		{"block", `{"id":5,"op":"block","user":"eve"}`, `"ok":{}`, `{User:eve Kind:1 Off:false}`},
		{"unblock", `{"id":5,"op":"unblock","user":"eve"}`, `"ok":{}`, `{User:eve Kind:1 Off:true}`},
		{"mute", `{"id":5,"op":"mute","user":"eve"}`, `"ok":{}`, `{User:eve Kind:3 Off:false}`},
		{"unmute", `{"id":5,"op":"unmute","user":"eve"}`, `"ok":{}`, `{User:eve Kind:3 Off:true}`},
		{"blocks", `{"id":5,"op":"blocks","limit":2}`, `"ok":{"users":["a","b"],"next":"b"}`, ``},
		{"mutes", `{"id":5,"op":"mutes","before":"d"}`, `"ok":{"users":["e"],"next":""}`, ``},
		{"following", `{"id":5,"op":"following","limit":1}`, `"ok":{"users":["a"],"next":"a"}`, ``},
		{"followers", `{"id":5,"op":"followers","before":"d"}`, `"ok":{"users":["e"],"next":""}`, ``},
		{"jobs", `{"id":5,"op":"jobs","q":" a \"b\" OR -c:* ","salary_min":1,"closed":true,"expand":true}`,
			`"ok":{"posts":[{"id":"7000000001","author":"alice","kind":"job","text":"bake","at":` + then +
				`,"likes":0,"comments":0,"job":{"title":"Baker"},"name":"Alice <i>","avatar":"https://a.example/a"}],"next":"a.b"}`, ``},
		{"jobs' end", `{"id":5,"op":"jobs","before":"end"}`, `"ok":{"posts":[],"next":""}`, ``},
		{"searches", `{"id":5,"op":"searches"}`, `"ok":{"searches":[{"id":"77","name":"bread","query":{"q":"baker"}}]}`, ``},
		{"delete a search", `{"id":5,"op":"delete_search","search":"77"}`, `"ok":{}`, ``},
		{"the feed with names", `{"id":5,"op":"feed","expand":true}`, `"ok":{"posts":[` + postHead + `"line\u2028\"\\\u0001"` + postTail() + `],"next":"20"}`, ``},
		{"sync", `{"id":5,"op":"sync","n":3}`, `"ok":{}`, `sync 3`},
		{"background", `{"id":5,"op":"state","state":"background"}`, `"ok":{}`, `background true`},
		{"active", `{"id":5,"op":"state","state":"active"}`, `"ok":{}`, `background false`},
		{"refresh", `{"id":5,"op":"refresh","token":"long:bob"}`, `"ok":{"expires":"2030-01-02T03:04:05.006Z"}`, ``},
		{"ping", `{"id":5,"op":"ping"}`, `"ok":{}`, ``},
		{"ping with ack", `{"ack":7,"id":5,"op":"ping"}`, `"ok":{}`, ``},
		{"escaped names and white space", " {\t\"i\\u0064\" : 5 ,\n\"op\":\"\\u0070ing\" , \"y\" : null } ", `"ok":{}`, ``},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			c := r.connect("bob")
			c.send(tc.frame)
			c.want(`{"re":5,` + tc.reply + `}`)
			asked := ""
			for _, a := range r.shards.actions() {
				switch a := a.(type) {
				case feedengine.Attach:
				case feedengine.Sync:
					asked = fmt.Sprint("sync ", a.N)
				case feedengine.SetState:
					asked = fmt.Sprint("background ", a.Background)
				case feedengine.Publish:
					asked = spell(a)
				case feedengine.Send:
					if asked = spell(a); len(a.To) > 10 {
						asked = fmt.Sprint(len(a.To), " others")
					}
				case feedengine.Edit:
					asked = spell(a)
				default:
					asked = fmt.Sprintf("%+v", a)
				}
			}
			if asked != tc.asks {
				t.Errorf("the shard was asked %.100s, want %.100s", asked, tc.asks)
			}
		})
	}
}

// spell is the action by %+v, with what its pointers point to.
func spell(a feedengine.Action) string {
	v := reflect.ValueOf(a)
	var parts []string
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() == reflect.Pointer && !f.IsNil() {
			f = f.Elem()
		}
		text := fmt.Sprintf("%+v", f)
		if f.Type() == reflect.TypeFor[feedengine.More]() && !f.FieldByName("Job").IsNil() {
			more := f.Interface().(feedengine.More)
			text = fmt.Sprintf("{Followers:%v Media:%+v Job:%+v Edited:%d Alerts:%v}", more.Followers, more.Media, *more.Job, more.Edited, more.Alerts)
		}
		parts = append(parts, v.Type().Field(i).Name+":"+text)
	}
	return "{" + strings.Join(parts, " ") + "}"
}

// others are the ids of n users, as JSON.
func others(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"u%d"`, i))
	}
	return strings.Join(all, ",")
}

// TestRefused holds bad requests to their error, and sees the socket live on.
func TestRefused(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Limits.Rate, o.Limits.Burst = 1e6, 1e6 })
	c := r.connect("bob")
	users := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`"u%d"`, i%7))
		}
		return strings.Join(all, ",")
	}
	for _, tc := range []struct{ name, fields, code string }{
		{"unknown op", `"op":"frobnicate"`, "bad_request"},
		{"no op", `"text":"x"`, "bad_request"},
		{"second connect", `"op":"connect","token":"ok:bob"`, "bad_request"},
		{"op no string", `"op":7`, "bad_request"},
		{"empty text", `"op":"publish","text":""`, "bad_request"},
		{"no text", `"op":"publish"`, "bad_request"},
		{"null text", `"op":"publish","text":null`, "bad_request"},
		{"blank text", `"op":"publish","text":" \n\t "`, "bad_request"},
		{"text no string", `"op":"publish","text":["x"]`, "bad_request"},
		{"text of 8001 bytes", `"op":"publish","text":"` + strings.Repeat("x", 8001) + `"`, "too_large"},
		{"text of 8001 bytes in 2667 signs", `"op":"publish","text":"` + strings.Repeat("€", 2667) + `"`, "too_large"},
		{"U+0000", `"op":"publish","text":"a\u0000b"`, "bad_request"},
		{"broken UTF-8", "\"op\":\"publish\",\"text\":\"a\xffb\"", "bad_request"},
		{"broken UTF-8 elsewhere", "\"op\":\"ping\",\"x\":\"\xc3\"", "bad_request"},
		{"another kind", `"op":"publish","text":"x","kind":"video"`, "bad_request"},
		{"empty key", `"op":"publish","text":"x","key":""`, "bad_request"},
		{"key of 65 bytes", `"op":"publish","text":"x","key":"` + strings.Repeat("k", 65) + `"`, "bad_request"},
		{"key with U+0000", `"op":"publish","text":"x","key":"\u0000"`, "bad_request"},
		{"id with sign", `"op":"delete","post":"+12"`, "bad_request"},
		{"id with zeros", `"op":"delete","post":"012"`, "bad_request"},
		{"id zero", `"op":"delete","post":"0"`, "bad_request"},
		{"id of 20 digits", `"op":"delete","post":"92233720368547758070"`, "bad_request"},
		{"id above 63 bits", `"op":"delete","post":"9223372036854775808"`, "bad_request"},
		{"id no string", `"op":"delete","post":12`, "bad_request"},
		{"no id", `"op":"delete"`, "bad_request"},
		{"follow nobody", `"op":"follow"`, "bad_request"},
		{"follow oneself", `"op":"follow","user":"bob"`, "bad_request"},
		{"follow oneself among others", `"op":"follow","users":["ann","bob"]`, "bad_request"},
		{"follow two ways", `"op":"follow","user":"ann","users":["ann"]`, "bad_request"},
		{"follow no user", `"op":"follow","user":"a b"`, "bad_request"},
		{"follow 65 bytes", `"op":"follow","user":"` + strings.Repeat("u", 65) + `"`, "bad_request"},
		{"follow an empty list", `"op":"follow","users":[]`, "bad_request"},
		{"follow 1001", `"op":"follow","users":[` + users(1001) + `]`, "bad_request"},
		{"follow null", `"op":"follow","users":["ann",null]`, "bad_request"},
		{"follow no list", `"op":"follow","users":"ann"`, "bad_request"},
		{"read no list", `"op":"read","of":"everything","upto":"1"`, "bad_request"},
		{"read no mark", `"op":"read","of":"feed"`, "bad_request"},
		{"read a word", `"op":"read","of":"feed","upto":"now"`, "bad_request"},
		{"read a long word", `"op":"read","of":"feed","upto":"` + strings.Repeat("9", 30) + `x"`, "bad_request"},
		{"read a negative", `"op":"read","of":"feed","upto":"-9999999999999999999"`, "bad_request"},
		{"limit 0", `"op":"feed","limit":0`, "bad_request"},
		{"limit 101", `"op":"feed","limit":101`, "bad_request"},
		{"limit -1", `"op":"feed","limit":-1`, "bad_request"},
		{"limit 1.5", `"op":"feed","limit":1.5`, "bad_request"},
		{"limit no number", `"op":"feed","limit":"5"`, "bad_request"},
		{"before no id", `"op":"feed","before":"newest"`, "bad_request"},
		{"before empty", `"op":"feed","before":""`, "bad_request"},
		{"sync without n", `"op":"sync"`, "bad_request"},
		{"sync null", `"op":"sync","n":null`, "bad_request"},
		{"sync -1", `"op":"sync","n":-1`, "bad_request"},
		{"sync above 2^53", `"op":"sync","n":9007199254740993`, "bad_request"},
		{"sync a huge n", `"op":"sync","n":1e400`, "bad_request"},
		{"sync a word", `"op":"sync","n":"5"`, "bad_request"},
		{"no such state", `"op":"state","state":"asleep"`, "bad_request"},
		{"refresh without token", `"op":"refresh"`, "bad_request"},
		{"refresh by another", `"op":"refresh","token":"ok:eve"`, "unauthorized"},
		{"refresh expired", `"op":"refresh","token":"expired:bob"`, "unauthorized"},
		{"refresh without keys", `"op":"refresh","token":"nokeys:bob"`, "unavailable"},
		{"negative ack", `"op":"ping","ack":-1`, "bad_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c.t = t
			before := len(r.shards.actions())
			c.send(`{"id":6,` + tc.fields + `}`)
			f := c.recv()
			if f.Re == nil || *f.Re != 6 || f.Err == nil || f.Err.Code != tc.code || f.Err.Message == "" {
				t.Fatalf("got %+v %+v, want %s", f, f.Err, tc.code)
			}
			if retryable := tc.code == "unavailable"; f.Err.Retryable != retryable {
				t.Errorf("retryable is %v", f.Err.Retryable)
			}
			if after := len(r.shards.actions()); after != before {
				t.Errorf("the shard was asked %+v", r.shards.actions()[before:])
			}
			c.send(`{"id":7,"op":"ping"}`)
			c.want(`{"re":7,"ok":{}}`)
		})
	}
	for frame, want := range map[string]string{
		`{"op":"ping"}`:                  `{"re":0,"ok":{}}`,
		`{"id":-3,"op":"ping"}`:          `{"re":-3,"ok":{}}`,
		`{"id":"7","op":"ping"}`:         `{"re":0,"error":`,
		`{"id":7.5,"op":"ping"}`:         `{"re":0,"error":`,
		`{"id":1e99,"op":"ping"}`:        `{"re":0,"error":`,
		`{}`:                             `{"re":0,"error":`,
		`{"ack":"7"}`:                    `{"re":0,"error":`,
		`{"id":1,"id":2,"op":"ping"}`:    `{"re":2,"ok":{}}`,
		`{"ID":1,"op":"ping"}`:           `{"re":0,"ok":{}}`,
		`{"id":3,"op":"ping","op":null}`: `{"re":3,"ok":{}}`,
	} {
		c.t = t
		c.send(frame)
		if got, err := c.raw(); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s %v, want %s", frame, got, err, want)
		}
	}
	c.send(`{"ack":7}`) // has no reply
	c.send(`{"id":8,"op":"ping"}`)
	c.want(`{"re":8,"ok":{}}`)
}

// TestClosed holds what ends a socket to its close code, with a bye before it.
func TestClosed(t *testing.T) {
	connect := `{"id":1,"op":"connect","token":"ok:bob"}`
	for _, tc := range []struct {
		name   string
		frames []string
		code   wire.CloseCode
	}{
		{"first frame no JSON", []string{`hello`}, wire.CloseProtocol},
		{"first frame empty", []string{``}, wire.CloseProtocol},
		{"first frame a list", []string{`[` + connect + `]`}, wire.CloseProtocol},
		{"first frame another op", []string{`{"id":1,"op":"ping"}`}, wire.CloseProtocol},
		{"first frame an ack", []string{`{"ack":1}`}, wire.CloseProtocol},
		{"connect with a token of another type", []string{`{"id":1,"op":"connect","token":5}`}, wire.CloseProtocol},
		{"connect with half a resume", []string{`{"id":1,"op":"connect","token":"ok:bob","resume":{"n":1}}`}, wire.CloseProtocol},
		{"connect not in UTF-8", []string{"{\"id\":1,\"op\":\"connect\",\"token\":\"ok:bob\xff\"}"}, wire.CloseProtocol},
		{"no token", []string{`{"id":1,"op":"connect"}`}, wire.CloseBadToken},
		{"expired token", []string{`{"id":1,"op":"connect","token":"expired:bob"}`}, wire.CloseBadToken},
		{"unsigned token", []string{`{"id":1,"op":"connect","token":"unsigned:bob"}`}, wire.CloseBadToken},
		{"forged token", []string{`{"id":1,"op":"connect","token":"forged:bob"}`}, wire.CloseBadToken},
		{"garbage token", []string{`{"id":1,"op":"connect","token":"???"}`}, wire.CloseBadToken},
		{"keys out of reach", []string{`{"id":1,"op":"connect","token":"nokeys:bob"}`}, wire.CloseOverloaded},
		{"broken JSON later", []string{connect, `{"id":2,"op":"ping"`}, wire.CloseProtocol},
		{"two objects", []string{connect, `{"id":2,"op":"ping"}{}`}, wire.CloseProtocol},
		{"a list later", []string{connect, `[]`}, wire.CloseProtocol},
		{"null later", []string{connect, `null`}, wire.CloseProtocol},
		{"binary", []string{"\x00binary" + connect}, wire.CloseProtocol},
		{"binary later", []string{connect, "\x00binary{}"}, wire.CloseProtocol},
		{"too big", []string{connect, `{"id":2,"op":"ping","x":"` + strings.Repeat("x", wire.MaxFrame) + `"}`}, wire.CloseTooBig},
		{"token runs out", []string{`{"id":1,"op":"connect","token":"short:bob"}`}, wire.CloseExpired},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			c := r.dial()
			for _, f := range tc.frames {
				if bin, ok := strings.CutPrefix(f, "\x00binary"); ok {
					if err := c.c.Write(context.Background(), websocket.MessageBinary, []byte(bin)); err != nil {
						t.Fatal(err)
					}
					continue
				}
				c.send(f)
			}
			bye := c.wantClose(tc.code)
			if again := tc.code >= 4100 && tc.code < 4500; again != (bye.Retry > 0) || again != (bye.Spread > 0) {
				t.Errorf("bye %+v", bye)
			}
			waitFor(t, "the session's end", func() bool { return r.g.Sockets() == 0 })
			if n := r.counter(fmt.Sprintf(`feedgate_closes_total{code="%d",reason=%q}`, tc.code, tc.code.Reason())); n != "1" {
				t.Errorf("closes were counted %s times", n)
			}
		})
	}
}

// TestConnectOutOfRange: a well-formed connect with a bad value may be repeated.
func TestConnectOutOfRange(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	for _, f := range []string{
		`{"id":1,"op":"connect","token":"ok:bob","feed":101}`,
		`{"id":1,"op":"connect","token":"ok:bob","feed":-1}`,
		`{"id":1,"op":"connect","token":"ok:bob","resume":{"stream":"b1","n":-1}}`,
		`{"id":1,"op":"connect","token":"ok:bob","resume":{"stream":"b1","n":9007199254740993}}`,
	} {
		c.send(f)
		if got := c.recv(); got.Err == nil || got.Err.Code != "bad_request" {
			t.Fatalf("%s: got %+v", f, got)
		}
	}
	c.send(`{"id":2,"op":"connect","token":"ok:bob","feed":0}`)
	if got := c.recv(); got.OK == nil {
		t.Fatalf("got %+v", got.Err)
	}
}

func TestHandshakeRefused(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Origins = []string{"app.example.com"} })
	upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
		"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol", wire.JSONv1}
	for _, tc := range []struct {
		name   string
		header []string
		status int
		code   string
	}{
		{"no subprotocol", upgrade[:8], 400, "bad_request"},
		{"another subprotocol", append(upgrade[:8:8], "Sec-WebSocket-Protocol", "chat"), 400, "bad_request"},
		{"a subprotocol in another case", append(upgrade[:8:8], "Sec-WebSocket-Protocol", "Feedgate.V1.json"), 400, "bad_request"},
		{"one name in two cases", append(upgrade[:8:8], "Sec-WebSocket-Protocol", "FEEDGATE.V1.JSON, "+wire.JSONv1), 101, ""},
		{"no upgrade", upgrade[8:], 426, "bad_request"},
		{"foreign origin", append(upgrade[:10:10], "Origin", "https://evil.example.com"), 403, "forbidden"},
		{"allowed origin", append(upgrade[:10:10], "Origin", "https://app.example.com"), 101, ""},
		{"own origin", append(upgrade[:10:10], "Origin", r.srv.URL), 101, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req, err := http.NewRequest("GET", r.srv.URL+"/v1/ws", nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(tc.header); i += 2 {
				req.Header.Set(tc.header[i], tc.header[i+1])
			}
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != tc.status {
				t.Errorf("status %d, want %d", res.StatusCode, tc.status)
			}
			if tc.status == http.StatusSwitchingProtocols {
				if got := res.Header.Get("Sec-WebSocket-Protocol"); got != wire.JSONv1 {
					t.Errorf("subprotocol %q", got)
				}
				return
			}
			body, err := io.ReadAll(res.Body)
			if want := `{"error":{"code":"` + tc.code + `"`; err != nil || !strings.HasPrefix(string(body), want) {
				t.Errorf("body %q, %v", body, err)
			}
		})
	}
	waitFor(t, "the refused to be forgotten", func() bool { return r.g.Sockets() <= 3 })
}

// TestAttachRefused: a connect that the shard cannot serve now is told so twice,
// for people and for programs.
func TestAttachRefused(t *testing.T) {
	for code, want := range map[feedengine.Code]wire.CloseCode{
		feedengine.Overloaded: wire.CloseOverloaded, feedengine.Unavailable: wire.CloseOverloaded, feedengine.Internal: wire.CloseInternal,
	} {
		r := newRig(t)
		r.shards.set(func(q feedengine.Request) feedengine.Result {
			return feedengine.Result{Err: &feedengine.Error{Code: code, Message: "no", Retry: 1500 * time.Microsecond}}
		}, nil)
		c := r.dial()
		c.send(`{"id":1,"op":"connect","token":"ok:bob"}`)
		c.want(`{"re":1,"error":{"code":"` + string(code) + `","message":"no","retryable":true,"retry_ms":2}}`)
		c.wantClose(want)
		waitFor(t, "the session's end", func() bool { return r.g.Sockets() == 0 })
		for _, a := range r.shards.actions() {
			if _, is := a.(feedengine.Detach); is {
				t.Errorf("%s: detached what was not attached", code)
			}
		}
	}
}
