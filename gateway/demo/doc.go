// Package demo holds the page that a node in dev mode serves at /, and the
// JavaScript client that the page stands on.
//
//	page/feedgate.js   the client: an app may take this one file as it is
//	page/app.js        the page's own logic, on top of the client
//	page/index.html    its elements
//	page/style.css     their looks
//	feedgate.test.js   the client's rules, for node --test
//
// The files are embedded in the binary. The package knows nothing of feeds: the
// page gets a token from POST /dev/token and then speaks the public protocol.
package demo
