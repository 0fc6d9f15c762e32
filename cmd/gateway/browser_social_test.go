package main

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

// evil is what a name or a text must not be able to do anything with.
const evil = "<img src=x onerror=\"throw 'run'\">"

// TestBrowserLikesAndComments: what bob does to alice's post she hears of at once,
// and what he takes back is gone from her list.
func TestBrowserLikesAndComments(t *testing.T) {
	n := start(t, sqliteEnv(t).with(env{"FEEDGATE_DEV": "1"}))
	b := openBrowser(t)
	alice, bob := b.tab("alice", n.addr), b.tab("bob", n.addr)
	bob.follow("alice")
	alice.badgeOf("bell", "1") // the follow
	alice.post("like this, @bob")
	bob.badgeOf("bell", "1") // the mention
	bob.badge("1")

	bob.click("#posts .like")
	bob.sees("the like", `document.querySelector("#posts .likes")?.textContent === "1"`)
	alice.badgeOf("bell", "2")
	alice.sees("the like on the post", `document.querySelector("#posts .likes")?.textContent === "1"`)

	bob.click("#posts .discuss")
	bob.write("#posts .reply input", "well said "+evil)
	bob.sees("the comment, as text", fmt.Sprintf(`document.querySelector("#posts .comments .text")?.textContent === %q`, "well said "+evil))
	alice.badgeOf("bell", "3")

	alice.click("#tab-bell")
	alice.sees("what happened, newest first", `[...document.querySelectorAll("#notes .says")].map((e) => e.textContent.trim()).join() ===
		"commented on your post,likes your post,follows you"`)
	alice.badgeOf("bell", "")
	b.screenshot(alice, "notifications")

	bob.click("#posts .like")
	alice.sees("that the like was taken back", `document.querySelectorAll("#notes > li").length === 2`)

	alice.click("#tab-feed")
	alice.click("#posts .menu summary")
	alice.click("#posts .edit")
	alice.run(chromedp.SendKeys(chromedp.CSS("#posts .editor textarea"), " (edited)"), chromedp.Click(chromedp.CSS("#posts .editor .primary")))
	bob.sees("the change", `texts()[0] === "like this, @bob (edited)" && document.querySelector("#posts .edited")?.hidden === false`)
	b.screenshot(bob, "comments")
}

// TestBrowserTalks has two write to each other: badges, ticks, who is writing, an
// answer, and names that stay text.
func TestBrowserTalks(t *testing.T) {
	n := start(t, sqliteEnv(t).with(env{"FEEDGATE_DEV": "1"}))
	b := openBrowser(t)
	alice, bob := b.tab("alice", n.addr), b.tab("bob", n.addr)
	alice.run(chromedp.Clear(chromedp.CSS("#my-name")))
	alice.write("#my-name", evil)

	alice.click("#tab-chat")
	alice.run(chromedp.SendKeys(chromedp.CSS("#to"), "bob"))
	alice.write("#new-text", "hello bob "+evil)
	alice.sees("the message", `document.querySelectorAll("#thread > li").length === 1`)
	bob.badgeOf("chat", "1")
	alice.sees("that it was delivered", `document.querySelector("#thread .ticks")?.textContent === "✓✓"`)
	b.screenshot(bob, "message-waits")

	bob.click("#tab-chat")
	bob.sees("the conversation", `document.querySelector("#conversations .name")?.textContent === "alice"`)
	bob.click("#conversations .choose")
	bob.sees("the message, as text", fmt.Sprintf(`document.querySelector("#thread .text")?.textContent === %q`, "hello bob "+evil))
	bob.badgeOf("chat", "")
	alice.sees("that it was read", `document.querySelector("#thread .ticks")?.textContent === "✓✓ read"`)
	alice.sees("that bob is there", `document.querySelector("#conversations .dot")?.classList.contains("online") === true`)

	bob.click("#thread .answer")
	bob.run(chromedp.SendKeys(chromedp.CSS("#say-text"), "hello"))
	alice.sees("that bob is writing", `document.querySelector("#typing")?.textContent.includes("bob is writing") === true`)
	bob.write("#say-text", " alice")
	alice.sees("the answer and what it answers", fmt.Sprintf(
		`document.querySelector("#thread > li:last-child .text")?.textContent === "hello alice" &&
		 document.querySelector("#thread > li:last-child .quote")?.textContent === %q`, "hello bob "+evil))
	alice.badgeOf("chat", "")
	b.screenshot(alice, "conversation")
	bob.phone("dark")
	b.screenshot(bob, "conversation-phone")
}

// TestBrowserJobs: a saved search tells of a new job, and the board finds it.
func TestBrowserJobs(t *testing.T) {
	n := start(t, sqliteEnv(t).with(env{"FEEDGATE_DEV": "1"}))
	b := openBrowser(t)
	bob, acme := b.tab("bob", n.addr), b.tab("acme", n.addr)
	bob.click("#tab-jobs")
	bob.run(chromedp.SendKeys(chromedp.CSS(`#find [name="q"]`), "engineer"), chromedp.SendKeys(chromedp.CSS(`#find [name="location"]`), "Berlin"))
	bob.click("#save-search")
	bob.sees("the saved search", `document.querySelector("#searches .name")?.textContent === "engineer, Berlin"`)

	acme.click("#tab-jobs")
	acme.click("#jobs-board details summary")
	for name, value := range map[string]string{"title": "Go engineers " + evil, "location": "Berlin", "salary_min": "60000", "salary_max": "90000", "currency": "EUR", "text": "Feeds, all day."} {
		acme.run(chromedp.SendKeys(chromedp.CSS(fmt.Sprintf("#offer [name=%q]", name)), value))
	}
	acme.click("#offer .primary")
	acme.sees("the job, as text", fmt.Sprintf(`document.querySelector("#jobs .title")?.textContent === %q`, "Go engineers "+evil))
	bob.badgeOf("bell", "1")
	bob.click("#searches .run")
	bob.sees("the job", `document.querySelector("#jobs .salary")?.textContent.includes("EUR") === true`)
	b.screenshot(bob, "jobs")
	acme.click("#jobs .delete")
	bob.badgeOf("bell", "")
	bob.sees("that the job is gone", `document.querySelectorAll("#jobs > li").length === 0`)
}

// TestBrowserBlocks: a block takes what it hides off the page at once, on both
// sides, and out of the counters.
func TestBrowserBlocks(t *testing.T) {
	n := start(t, sqliteEnv(t).with(env{"FEEDGATE_DEV": "1"}))
	b := openBrowser(t)
	alice, bob := b.tab("alice", n.addr), b.tab("bob", n.addr)
	bob.follow("alice")
	alice.follow("bob")
	n.http(http.MethodPost, "/v1/posts", token(t, "alice", false), map[string]any{"text": "by alice"})
	n.http(http.MethodPost, "/v1/posts", token(t, "bob", false), map[string]any{"text": "by bob"})
	for _, tab := range []*tab{alice, bob} {
		tab.badge("1")
		tab.sees("both posts", `texts().join() === "by bob,by alice"`)
	}
	bob.click("#posts > li:last-child .menu summary")
	bob.click("#posts > li:last-child .block")
	bob.sees("nothing of alice", `texts().join() === "by bob"`)
	alice.sees("nothing of bob", `texts().join() === "by alice"`)
	bob.badge("")
	alice.badge("")
	bob.sees("whom they block", `document.querySelector("#hidden .name")?.textContent === "alice"`)
	b.screenshot(bob, "blocked")

	bob.click("#hidden button")
	for _, tab := range []*tab{alice, bob} {
		tab.sees("both posts again", `texts().join() === "by bob,by alice"`)
		tab.badge("1")
	}
}

// badgeOf waits until a tab's badge shows the text; "" is no badge.
func (tab *tab) badgeOf(name, want string) {
	tab.t.Helper()
	tab.sees("the badge of "+name, fmt.Sprintf(
		`((e) => e.hidden ? "" : e.textContent)(document.querySelector("#%s-badge")) === %q`, name, want))
}

// write types a text and Enter.
func (tab *tab) write(selector, text string) {
	tab.t.Helper()
	tab.run(chromedp.SendKeys(chromedp.CSS(selector), text+"\r"))
}
