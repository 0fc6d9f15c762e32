package main

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestBrowserShowsPostsAndBadgesLive uses the demo page as people do: alice in
// one tab, bob in two others, in a real browser, against a whole node.
func TestBrowserShowsPostsAndBadgesLive(t *testing.T) {
	n := start(t, sqliteEnv(t).with(env{"FEEDGATE_DEV": "1"}))
	b := openBrowser(t)

	alice := b.tab("alice", n.addr)
	bob := b.tab("bob", n.addr)
	bob2 := b.tab("bob", n.addr)

	bob.follow("alice")
	alice.post("good <b>morning</b><img src=x onerror=\"throw 'run'\">")
	for _, tab := range []*tab{alice, bob, bob2} {
		tab.sees("the post, as text", `texts()[0] === "good <b>morning</b><img src=x onerror=\"throw 'run'\">"`)
	}
	bob.badge("1")
	bob2.badge("1")
	alice.badge("")

	alice.post("the second\nhas two lines")
	bob.badge("2")
	bob2.badge("2")
	bob2.sees("the badge in the title", `document.title === "(2) feedgate"`)
	bob2.sees("both marked unread", `document.querySelectorAll("#posts > .unread").length === 2`)
	b.screenshot(bob, "unread")

	bob.click("#mark")
	bob.badge("")
	bob2.badge("")
	bob2.sees("nothing marked unread", `document.querySelectorAll("#posts > .unread").length === 0`)

	alice.click("#posts > li:last-child .delete")
	for _, tab := range []*tab{alice, bob, bob2} {
		tab.sees("that the first post is gone", `texts().join() === "the second\nhas two lines"`)
	}
	bob.post("hello alice, you do not follow me")
	alice.sees("nothing of bob's", `texts().length === 1`)
	bob.badge("")
}

// TestBrowserResumesAfterALostLine cuts the socket under the page.
func TestBrowserResumesAfterALostLine(t *testing.T) {
	n := start(t, sqliteEnv(t).with(env{"FEEDGATE_DEV": "1"}))
	b := openBrowser(t)
	bob := b.tab("bob", n.addr)
	bob.follow("alice")
	bob.sees("the connection", `!document.querySelector("#cut").disabled`)
	bob.click("#cut")
	n.http(http.MethodPost, "/v1/posts", token(t, "alice", false), map[string]any{"text": "while you were away"})
	bob.sees("the post of meanwhile, once", `texts().join() === "while you were away"`)
	bob.badge("1")
	bob.sees("the resume in the log", `document.querySelector("#log").textContent.includes("resumed")`)
	bob.sees("no reset in the log", `!document.querySelector("#log").textContent.includes("reset")`)
	b.screenshot(bob, "resumed")
}

// TestBrowserOutlivesARestart stops the node under the page and starts another
// one on the same data: the page comes back by itself, and is told that what it
// showed may be out of date.
func TestBrowserOutlivesARestart(t *testing.T) {
	e := sqliteEnv(t).with(env{"FEEDGATE_DEV": "1", "FEEDGATE_ADDR": "127.0.0.1:" + freePort(t)})
	n := start(t, e)
	b := openBrowser(t)
	bob := b.tab("bob", n.addr)
	bob.follow("alice")
	n.http(http.MethodPost, "/v1/posts", token(t, "alice", false), map[string]any{"text": "before"})
	bob.badge("1")
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	bob.sees("that the line is lost", `document.querySelector("#state").dataset.state !== "connected"`)

	n = start(t, e)
	n.http(http.MethodPost, "/v1/posts", token(t, "alice", false), map[string]any{"text": "after"})
	bob.sees("both posts", `texts().join() === "after,before"`)
	bob.badge("2")
	bob.sees("the reset in the log", `document.querySelector("#log").textContent.includes("reset: not_resumed")`)
	b.screenshot(bob, "restarted")
}

// TestBrowserPagesBackwards asks for older posts, and looks at the page on a
// phone, light and dark.
func TestBrowserPagesBackwards(t *testing.T) {
	n := start(t, sqliteEnv(t).with(env{"FEEDGATE_DEV": "1"}))
	b := openBrowser(t)
	bob := b.tab("bob", n.addr)
	bob.follow("alice")
	bob.follow("carol")
	for i := range 45 {
		author := []string{"alice", "carol"}[i%2]
		n.http(http.MethodPost, "/v1/posts", token(t, author, false), map[string]any{"text": fmt.Sprintf("post %d", i)})
	}
	bob.badge("45")
	bob.reload()
	bob.badge("45")
	bob.sees("the newest 20", `texts().length === 20 && texts()[0] === "post 44" && texts()[19] === "post 25"`)
	bob.click("#older")
	bob.sees("40", `texts().length === 40`)
	bob.click("#older")
	bob.sees("all, each once and in order", `texts().length === 45 && texts().every((text, i) => text === "post " + (44 - i))`)
	bob.sees("that there are no more", `document.querySelector("#older").hidden`)
	bob.sees("whom bob follows, after the reload", `document.querySelectorAll("#following li").length === 2`)

	bob.click("#mark")
	bob.badge("")
	alice := b.tab("alice", n.addr)
	alice.post("A longer one, to see how lines wrap on a narrow screen: " + strings.Repeat("word ", 30) + strings.Repeat("x", 90))
	bob.badge("1")
	b.screenshot(bob, "desk")
	for _, scheme := range []string{"light", "dark"} {
		bob.phone(scheme)
		bob.reload()
		bob.sees("no more than the screen is wide", `document.documentElement.scrollWidth <= 390`)
		b.screenshot(bob, "phone-"+scheme)
	}
}

// browser is a Chromium of its own, with an empty profile, until the test ends.
type browser struct {
	t   *testing.T
	ctx context.Context
}

// openBrowser starts what CHROMIUM names, or the chromium in PATH.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	if path == "" {
		var err error
		if path, err = exec.LookPath("chromium"); err != nil {
			t.Fatal("this test needs a browser: install chromium, or set CHROMIUM to one (make test does)")
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience) // cleanups need it, too
	t.Cleanup(cancel)
	allocator, cancel := chromedp.NewExecAllocator(ctx,
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1200, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
	)
	t.Cleanup(cancel)
	// The first context is the browser; ending it ends the process.
	b := &browser{t: t}
	b.ctx, cancel = chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(b.ctx); err != nil {
		t.Fatalf("%s does not start: %v", path, err)
	}
	t.Cleanup(func() {
		if err := chromedp.Cancel(b.ctx); err != nil {
			t.Errorf("%s does not stop: %v", path, err)
		}
	})
	return b
}

// screenshot leaves a picture of the tab under SCREENSHOTS, if that is set.
func (b *browser) screenshot(tab *tab, name string) {
	b.t.Helper()
	png, err := chromedp.Run(tab.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatalf("%s's tab: %v", tab.user, err)
	}
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// tab is one user's view of the page.
type tab struct {
	t    *testing.T
	ctx  context.Context
	user string
}

// texts is the shown posts' texts, newest first, for the conditions of sees.
const texts = `const texts = () => [...document.querySelectorAll("#posts > li > .body > .text")].map((e) => e.textContent);`

// tab opens the page and signs in.
func (b *browser) tab(user, addr string) *tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	tab := &tab{b.t, ctx, user}
	console := chromedp.Console(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tab.listen(console)
	}()
	b.t.Cleanup(func() {
		cancel()
		<-done
	})
	tab.run(
		chromedp.Navigate("http://"+addr+"/"),
		chromedp.SendKeys(chromedp.CSS("#name"), user+"\r"),
	)
	tab.connected()
	return tab
}

// listen fails the test for whatever the console complains of: errors of
// scripts, refused resources, violations of the content security policy.
func (tab *tab) listen(console iter.Seq2[chromedp.ConsoleMessage, error]) {
	for m, err := range console {
		if err != nil {
			return // the tab is closed
		}
		if strings.Contains(m.Text, "net::ERR_CONNECTION_REFUSED") {
			continue // the node is away: tests look at what the page makes of it
		}
		switch m.Type {
		case chromedp.ConsoleWarning, chromedp.ConsoleError, chromedp.ConsoleException:
			tab.t.Errorf("%s's console: %s (%s:%d)", tab.user, m, m.URL, m.Line+1)
		}
	}
}

func (tab *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	if err := chromedp.Do(tab.ctx, actions...); err != nil {
		tab.t.Fatalf("%s's tab: %v", tab.user, err)
	}
}

func (tab *tab) connected() {
	tab.t.Helper()
	tab.sees("the connection", `document.querySelector("#state").dataset.state === "connected"`)
}

// sees waits until a condition in JavaScript holds in the tab.
func (tab *tab) sees(what, condition string) {
	tab.t.Helper()
	eventually(tab.t, fmt.Sprintf("%s sees %s (%s)", tab.user, what, condition), func() bool {
		ok, err := chromedp.Run(tab.ctx, chromedp.Evaluate[bool]("(() => {"+texts+" return "+condition+"})()"))
		if err != nil {
			tab.t.Fatalf("%s's tab: %s: %v", tab.user, condition, err)
		}
		return ok
	})
}

// badge waits until the unread badge shows the text; "" is no badge.
func (tab *tab) badge(want string) {
	tab.t.Helper()
	tab.sees("the badge", fmt.Sprintf(
		`(document.querySelector("#badge").hidden ? "" : document.querySelector("#badge").textContent) === %q`, want))
}

func (tab *tab) click(selector string) {
	tab.t.Helper()
	tab.run(chromedp.Click(chromedp.CSS(selector)))
}

func (tab *tab) follow(user string) {
	tab.t.Helper()
	tab.run(chromedp.SendKeys(chromedp.CSS("#whom"), user+"\r"))
	tab.sees("whom they follow", fmt.Sprintf(
		`[...document.querySelectorAll("#following .name")].some((e) => e.textContent === %q)`, user))
}

func (tab *tab) post(text string) {
	tab.t.Helper()
	tab.run(chromedp.SendKeys(chromedp.CSS("#text"), text), chromedp.Click(chromedp.CSS("#publish")))
	tab.sees("their own post", fmt.Sprintf(`texts()[0] === %q`, text))
}

// reload loads the page anew; the tab stays signed in.
func (tab *tab) reload() {
	tab.t.Helper()
	tab.run(chromedp.Reload())
	tab.connected()
}

// phone makes the tab as small as a phone's screen.
func (tab *tab) phone(scheme string) {
	tab.t.Helper()
	tab.run(chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulatePortrait))
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(tab.ctx, emulation.SetEmulatedMedia, media); err != nil {
		tab.t.Fatalf("%s's tab: %v", tab.user, err)
	}
}
